// The secret by which nodes tell requests that came through Envoy from those of anybody else who reaches
// their ports.
import { randomBytes } from "node:crypto";
import type { KV } from "@nats-io/kv";
import { edgeSecretKey } from "@voda/proto/wire";
import { storeOver } from "../nats/store-over.ts";

const secretBytes = 32;
const secretText = /^[0-9a-f]{64}$/;

/**
 * Made by the first control plane of a mesh and kept: nodes and running proxies know it, and several control
 * planes publish the same.
 * @throws when what is stored is no secret: a guess in its place would shut out all nodes
 */
export async function edgeSecret(keys: KV): Promise<string> {
  const value = randomBytes(secretBytes).toString("hex");
  // When another control plane was first, its secret counts.
  if ((await keys.get(edgeSecretKey)) === null)
    await storeOver(keys, { key: edgeSecretKey, value, revision: undefined });
  const stored = (await keys.get(edgeSecretKey))?.string() ?? "";
  if (!secretText.test(stored))
    throw new Error(
      `the secret in voda_keys/${edgeSecretKey} is not 64 hexadecimal digits; delete it and start the mesh again`,
    );
  return stored;
}

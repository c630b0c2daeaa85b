// Checks the control plane's signed permission to activate a session here; public keys come from the bucket
// of keys.

import { createPublicKey, type KeyObject, verify as verifySignature, type webcrypto } from "node:crypto";
import { type KvEntry, Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/transport-node";
import { watchBucket } from "@voda/net";
import {
  type DeviceShare,
  type GrantClaims,
  grantBytesMax,
  grantProblem,
  parseGrantClaims,
} from "@voda/proto/grant";
import type { SessionToken } from "@voda/proto/session";
import { edgeSecretKey, keysBucket } from "@voda/proto/wire";
import { wordsOf } from "@voda/stdx";
import type { Logger } from "pino";

/** What a grant is worth here and now. */
export type Verdict =
  | { readonly type: "granted"; readonly devices: readonly DeviceShare[] }
  /** As if there were no grant: it is for another node or life of it, or has expired. */
  | { readonly type: "void" }
  | { readonly type: "refused"; readonly message: string }
  /** Nothing is known of the grant: the store that has the keys does not answer. */
  | { readonly type: "unavailable"; readonly message: string };

/** Keys follow the bucket until it is disposed. */
export interface Grants extends AsyncDisposable {
  verify(jws: string, session: SessionToken): Promise<Verdict>;
}

/** Of the node that the grants must be for; its incarnation may change. */
export interface GrantsOptions {
  readonly connection: NatsConnection;
  readonly node: string;
  readonly incarnation: () => string;
  /** The time that all nodes share: milliseconds since 1970. */
  readonly storeMs: () => number;
  readonly log: Logger;
  /** The bucket of keys has the proof of Envoy's too. */
  readonly onEdgeSecret: (secret: string | undefined) => void;
}

const curve = "ed25519";
/** Of a key that no control plane names. */
const unknownSigner = "the grant is refused: it is not signed by a control plane of this mesh";

/** Resolves when all keys that are stored now are known. @throws when the bucket is not there */
export async function openGrants(options: GrantsOptions): Promise<Grants> {
  const { log } = options;
  const bucket = await new Kvm(options.connection).open(keysBucket);
  const keys = new Map<string, KeyObject>();
  const watch = await watchBucket(bucket, (entry) => {
    if (entry.key === edgeSecretKey)
      return options.onEdgeSecret(entry.operation === "PUT" ? entry.string() : undefined);
    try {
      if (entry.operation === "PUT") keys.set(entry.key, readKey(entry.json<webcrypto.JsonWebKey>()));
      else keys.delete(entry.key);
    } catch (err) {
      log.error({ err, key: entry.key }, "public key not usable");
    }
  });
  /** A control plane that has just started signs before its key has come through the watch. */
  const keyOf: KeyOf = async (id) => {
    const known = keys.get(id);
    // the id comes from the caller: only what could be a key's name is asked for
    if (known !== undefined || !/^[A-Za-z0-9_-]{1,64}$/.test(id)) return known;
    let entry: KvEntry | null;
    try {
      entry = await bucket.get(id);
    } catch (cause) {
      throw new StoreAway(`the key of the grant is not known yet, and the store does not answer`, { cause });
    }
    return entry === null || entry.operation !== "PUT"
      ? undefined
      : readKey(entry.json<webcrypto.JsonWebKey>());
  };

  return {
    async verify(jws, session) {
      // before any decoding: whoever reaches the ingress may send one
      if (jws.length > grantBytesMax)
        return refused(`grant of ${jws.length} bytes exceeds grantBytesMax ${grantBytesMax}`);
      const claims = await verified(jws, keyOf);
      if ("message" in claims) return claims;
      const incarnation = options.incarnation();
      const problem = grantProblem(claims, {
        session,
        node: options.node,
        incarnation,
        nowMs: options.storeMs(),
      });
      if (problem?.type === "refused") return refused(problem.message);
      // not the caller's mistake: the session has moved since the grant was signed
      if (problem?.type === "void") return { type: "void" };
      return { type: "granted", devices: claims.devices };
    },
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  };
}

function readKey(jwk: webcrypto.JsonWebKey): KeyObject {
  const key = createPublicKey({ key: jwk, format: "jwk" });
  if (key.asymmetricKeyType !== curve)
    throw new Error(`a key of type ${key.asymmetricKeyType} is none for grants: ${curve}`);
  return key;
}

/** @throws StoreAway */
type KeyOf = (id: string) => Promise<KeyObject | undefined>;

class StoreAway extends Error {
  override readonly name = "StoreAway";
}

/**
 * The claims, or what is wrong with the signature or the form. On this thread: handing the signature to
 * another one and taking the answer back costs more than the check.
 */
async function verified(
  jws: string,
  keyOf: KeyOf,
): Promise<GrantClaims | Exclude<Verdict, { type: "granted" | "void" }>> {
  const [header = "", payload = "", signature = "", ...more] = jws.split(".");
  try {
    const { alg, kid, crit } = readJson(header) as Partial<Record<string, unknown>>;
    // one algorithm, said here and not by the sender (RFC 8725 3.1); `crit` names what we would have to
    // understand
    if (alg !== "EdDSA" || typeof kid !== "string" || crit !== undefined || more.length > 0)
      return refused(unknownSigner);
    const key = await keyOf(kid);
    const input = Buffer.from(`${header}.${payload}`);
    if (key === undefined || !verifySignature(null, input, key, Buffer.from(signature, "base64url")))
      return refused(unknownSigner);
    const claims = parseGrantClaims(readJson(payload));
    return typeof claims === "string" ? refused(claims) : claims;
  } catch (error) {
    if (error instanceof StoreAway) return { type: "unavailable", message: `${error.message}; retry` };
    return refused(`the grant is refused: ${wordsOf(error)}`);
  }
}

function readJson(part: string): unknown {
  return JSON.parse(Buffer.from(part, "base64url").toString());
}

function refused(message: string): Extract<Verdict, { type: "refused" }> {
  return { type: "refused", message };
}

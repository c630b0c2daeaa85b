// Where Envoy and the control plane of a mesh meet: in the data folder, which nobody else can enter.
import { createHash } from "node:crypto";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fitsSockets } from "@voda/proto/edge-folder";

/**
 * A path that a kernel allows for sockets: a data folder whose own is too long has its edge folder below the
 * system's one for temporary files.
 */
export function edgeFolder(dataDir: string): string {
  const inside = join(dataDir, "edge");
  if (fitsSockets(inside)) return inside;
  const name = createHash("sha256").update(dataDir).digest("hex").slice(0, 16);
  return join(tmpdir(), `voda-${name}`);
}

/** Whether Envoy has all of its configuration; `false` while nothing listens. */
export function adminIsReady(socketPath: string, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const request = get({ socketPath, path: "/ready", agent: false, signal }, (response) => {
    response.resume();
    resolve(response.statusCode === 200);
  });
  request.on("error", () => resolve(false));
  return promise;
}

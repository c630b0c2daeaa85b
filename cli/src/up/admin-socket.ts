// Where Envoy's own pages are: in the data folder, which nobody else can enter. On a port any web page could
// send to them.
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { socketPathBytesMax } from "@voda/envoy/bootstrap";

/**
 * A path that a kernel allows: a data folder whose own is too long has its socket in a folder of its own
 * below the system's one.
 */
export function adminSocket(dataDir: string): string {
  const inside = join(dataDir, "envoy.sock");
  if (Buffer.byteLength(inside) <= socketPathBytesMax) return inside;
  const name = createHash("sha256").update(dataDir).digest("hex").slice(0, 16);
  const outside = join(tmpdir(), `voda-${name}`, "envoy.sock");
  mkdirSync(dirname(outside), { recursive: true, mode: 0o700 });
  return outside;
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

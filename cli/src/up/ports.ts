// Ports of this machine. Children keep theirs over restarts, so they are taken from below the range that the
// operating system gives to outgoing connections (32768 and up on Linux).
import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { wordsOf } from "@voda/stdx";
import { CliError } from "../failure.ts";

const portMin = 20_000;
const portsEnd = 32_000;
const attemptsMax = 200;

/** Everything that `voda up` runs listens here: a mesh on one machine is for that machine. */
export const loopback = "127.0.0.1";

/** Whether something listens on the port already. */
export function isPortFree(port: number): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EADDRINUSE") resolve(false);
    else reject(error);
  });
  server.listen({ port, host: loopback, exclusive: true }, () => server.close(() => resolve(true)));
  return promise;
}

/** `count` different free ports. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  // By chance: meshes that start at once must not try the same ports in the same order.
  for (let attempt = 0; attempt < attemptsMax && ports.size < count; attempt += 1) {
    const port = randomInt(portMin, portsEnd);
    if (!ports.has(port) && (await isPortFree(port))) ports.add(port);
  }
  if (ports.size < count)
    throw new CliError(`found ${ports.size} of ${count} free ports in ${attemptsMax} attempts; free some`);
  return [...ports];
}

/** The port the user asked for, or any free one for 0. @throws when it is taken */
export async function claimPort(wanted: number, flag: string): Promise<number> {
  if (wanted === 0) return (await freePorts(1))[0] ?? 0;
  let free: boolean;
  try {
    free = await isPortFree(wanted);
  } catch (cause) {
    throw new CliError(`cannot listen on port ${wanted}: ${wordsOf(cause)}; choose another with ${flag}`, 1, {
      cause,
    });
  }
  if (!free)
    throw new CliError(
      `port ${wanted} is in use; stop what uses it, or choose another with ${flag} (0 = any free port)`,
    );
  return wanted;
}

// Binds a server and says where.
import { once } from "node:events";
import { lstatSync, rmSync } from "node:fs";
import { connect, type Server } from "node:net";

/** Where a server is, once the system has chosen what was left open. */
export interface Bound {
  readonly port: number;
  /** `ip:port`. */
  readonly address: string;
}

/** Port 0 lets the system pick one. @throws when the address cannot be listened on */
export async function listen(
  server: Server,
  at: { readonly host: string; readonly port: number },
): Promise<Bound> {
  server.listen(at.port, at.host);
  await once(server, "listening");
  const address = server.address();
  // A string is the path of a socket file, and no host names one.
  if (address === null || typeof address === "string") throw new Error(`${at.host} is no IP address`);
  return { port: address.port, address: `${address.address}:${address.port}` };
}

/** On a unix socket: who may enter its folder may connect. @throws when another server is there */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  await clearSocket(path);
  server.listen(path);
  await once(server, "listening");
}

/** What says that nobody listens. All else, such as a full backlog, may come of a program that lives. */
const deserted: ReadonlySet<unknown> = new Set(["ECONNREFUSED", "ENOENT"]);

/** Removes the socket of a program that was killed. @throws when one that lives may listen, or it is none */
export async function clearSocket(path: string): Promise<void> {
  // A file refuses connections just as a deserted socket does.
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === false)
    throw new Error(`${path} is no socket and is left as it is; name another folder`);
  const socket = connect(path);
  let cause: unknown;
  try {
    await once(socket, "connect");
  } catch (error) {
    if (error instanceof Error && "code" in error && deserted.has(error.code)) {
      rmSync(path, { force: true });
      return;
    }
    cause = error;
  } finally {
    socket.destroy();
  }
  const words = `another program listens on ${path}; stop it, or name another folder`;
  throw new Error(words, cause === undefined ? {} : { cause });
}

// Where the bytes of a connection come from, stopped below node:http and node:http2. Above it nothing holds:
// node:http resumes its socket after each answer, node:http2 lets nobody pause its own, and flow control
// bounds bytes and not frames, and requests not at all.
import type { Socket } from "node:net";

/** What node:net reads a socket by, and node:http too. */
interface Handle {
  readStop(): void;
  readStart(): void;
}

/** Stopping twice is stopping once; of a connection that has ended both do nothing. */
export interface Intake {
  stop(): void;
  start(): void;
}

/**
 * @param socket may be what node:http2 shows of one, which says nothing any more once the session has ended
 */
export function intakeOf(socket: Socket): Intake {
  const handle = Reflect.get(socket, "_handle") as Handle;
  return { stop: () => handle.readStop(), start: () => handle.readStart() };
}

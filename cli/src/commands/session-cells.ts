// How a session is told in tables.
import { type Session, SessionStatus } from "@voda/proto/api";

const statusWords: Readonly<Record<SessionStatus, string>> = {
  [SessionStatus.UNSPECIFIED]: "unknown",
  [SessionStatus.AWAKE]: "awake",
  [SessionStatus.ASLEEP]: "asleep",
  [SessionStatus.UNBORN]: "not begun",
};

/** `unknown` for a status that a newer control plane may send. */
export function statusWord(status: SessionStatus): string {
  return statusWords[status] ?? "unknown";
}

/** Above the name of a session and its `sessionCells`. */
export const sessionHead = ["SESSION", "STATUS", "NODE", "EPOCH"];

/** Of a session, after its name. */
export const sessionCells = ({
  status,
  node,
  epoch,
}: Pick<Session, "status" | "node" | "epoch">): string[] => [
  statusWord(status),
  node === "" ? "-" : node,
  // Only the owner knows it: of a session that sleeps it is in the log alone.
  epoch === 0n ? "-" : String(epoch),
];

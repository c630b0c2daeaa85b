import { runningProcesses } from "./process.ts";
import { waitUntil } from "./wait.ts";

/** Less than what is left behind lasts by itself. */
const goneWithinMs = 3_000;
// Of what Node counts as active, what code opens and must close. The others belong to the runner and to
// pending I/O.
const owned = [
  "TCPSocketWrap",
  "TCPServerWrap",
  "PipeWrap",
  "ProcessWrap",
  "Timeout",
  "Immediate",
  "FSEventWrap",
  "MessagePort",
];

/** Remembers what is open now; the returned check fails when more is open, or a child process runs. */
export function leakCheck(): () => Promise<void> {
  const before = open();
  const grown = (): string[] => {
    const now = open();
    const kinds = owned.filter((kind) => (now.get(kind) ?? 0) > (before.get(kind) ?? 0));
    return [
      ...kinds.map((kind) => `${kind}: ${now.get(kind)} open, ${before.get(kind) ?? 0} before`),
      ...runningProcesses().map((pid) => `process ${pid} runs`),
    ];
  };
  return async () => {
    let last: string[] = [];
    try {
      await waitUntil(
        () => {
          last = grown();
          return last.length === 0;
        },
        "nothing is left open",
        goneWithinMs,
      );
    } catch (cause) {
      throw new Error(`leaked: ${last.join("; ")}`, { cause });
    }
  };
}

function open(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

// What the control plane's log says of the lives of nodes.
import * as v from "valibot";

const Line = v.object({ msg: v.string(), incarnation: v.string() });

/** Lives of nodes by what was said of them. */
export interface Lives {
  /** Their nodes are gone, as far as the control plane knows. */
  readonly lost: number;
  /** Their leases had ended, and their nodes were alive: they went on in another life. */
  readonly lapsed: number;
}

/** A control plane that starts again says of a life what the one before it has said: each counts once. */
export function livesOf(log: string): Lives {
  const said = { "node lost": new Set<string>(), "node returned": new Set<string>() };
  for (const line of log.split("\n")) {
    const read = v.safeParse(v.pipe(v.string(), v.parseJson(), Line), line);
    if (!read.success) continue;
    const { msg, incarnation } = read.output;
    if (msg === "node lost" || msg === "node returned") said[msg].add(incarnation);
  }
  return { lost: said["node lost"].size, lapsed: said["node returned"].size };
}

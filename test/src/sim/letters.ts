// What the one session has sent the other: each letter after its turn, in their order, once, or given up.
import { nodeEndsMax } from "../../../dataplane/src/lane/constants.ts";
import { opOf, Violation } from "./checks.ts";
import type { Clients, OperationType } from "./clients.ts";
import type { Clockwork } from "./clockwork.ts";
import type { Stores } from "./sessions.ts";
import type { SimStore } from "./store.ts";

/** Operations that the session has committed, over all its lives. */
export const everOf = (store: SimStore): readonly number[] => (store.versions.at(-1)?.ever ?? []).map(opOf);
const letters: readonly OperationType[] = ["send", "poison", "moody", "killer", "closing"];

/**
 * The second session has committed the operation; that nothing happens twice, its lane checks.
 * @throws Violation
 */
export function checkTaken(
  operation: number,
  clients: Clients,
  { main, asked }: Stores,
  clockwork: Clockwork,
): void {
  if (!letters.includes(clients.operation(operation).kind)) return;
  if (clients.isForgotten(operation)) return;
  clockwork.meet("a letter is taken");
  if (main.graves.has(operation)) throw new Violation(`${operation} is taken after it was given up`);
  const sent = everOf(main);
  const at = sent.indexOf(operation);
  if (at < 0) throw new Violation(`dirty send: ${operation} was taken, and its turn is not committed`);
  const taken = everOf(asked);
  const skipped = sent.slice(0, at).find((before) => {
    const isLetter = letters.includes(clients.operation(before).kind);
    return isLetter && !clients.isForgotten(before) && !taken.includes(before) && !main.graves.has(before);
  });
  if (skipped !== undefined)
    throw new Violation(`out of order: ${operation} was taken before ${skipped}, which was sent before it`);
}

/** @throws Violation */
export function checkBuried(operation: number, clients: Clients, { asked }: Stores): void {
  if (!clients.isForgotten(operation) && everOf(asked).includes(operation))
    throw new Violation(`${operation} was taken, and is given up`);
  if (operation > 0 && ["send", "closing"].includes(clients.operation(operation).kind))
    throw new Violation(`given up: ${operation}, which its handler takes`);
}

/** Nodes that one letter may end: before it is suspected, and then before it is not begun again. */
const endsMax = 2 + nodeEndsMax;

/** Its handler ends the node, for the `ends`th time. @throws Violation */
export function checkEnds(operation: number, ends: number): void {
  if (ends > endsMax) throw new Violation(`endless: ${operation} has ended ${ends} nodes`);
}

/** Nothing that was sent is on its way. */
export function areOver(clients: Clients, { main, asked }: Stores): boolean {
  const taken = everOf(asked);
  return everOf(main).every((operation) => {
    const { kind } = clients.operation(operation);
    if (kind === "poison" && !main.graves.has(-operation)) return false;
    return !letters.includes(kind) || taken.includes(operation) || main.graves.has(operation);
  });
}

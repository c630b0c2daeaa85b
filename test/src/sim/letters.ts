// What the one session has sent the other: each letter after its turn, in their order, once, or given up.
import { opOf, Violation } from "./checks.ts";
import type { Clients } from "./clients.ts";
import type { Clockwork } from "./clockwork.ts";
import type { Stores } from "./sessions.ts";
import type { SimStore } from "./store.ts";

const everOf = (store: SimStore): readonly number[] => (store.versions.at(-1)?.ever ?? []).map(opOf);

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
  if (clients.operation(operation).kind !== "send") return;
  clockwork.meet("a letter is taken");
  const sent = everOf(main);
  const at = sent.indexOf(operation);
  if (at < 0) throw new Violation(`dirty send: ${operation} was taken, and its turn is not committed`);
  const taken = everOf(asked);
  const skipped = sent
    .slice(0, at)
    .find((before) => clients.operation(before).kind === "send" && !taken.includes(before));
  if (skipped !== undefined)
    throw new Violation(`out of order: ${operation} was taken before ${skipped}, which was sent before it`);
}

/** Nothing that was sent is on its way. */
export function areOver(clients: Clients, { main, asked }: Stores): boolean {
  const taken = everOf(asked);
  return everOf(main).every((operation) => {
    const { kind } = clients.operation(operation);
    if (kind === "poison") return main.graves.has(operation);
    return kind !== "send" || taken.includes(operation);
  });
}

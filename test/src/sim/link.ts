// A node's connection to the store: delays, losses and copies of messages, and reconnects.
import type { Clockwork } from "./clockwork.ts";
import type { FaultPlan } from "./options.ts";
import type { SimProgram } from "./program.ts";
import type { SimStore } from "./store.ts";

export type LinkReply = (deliver: () => void) => void;

export interface Link {
  readonly isUp: boolean;
  start(): void;
  crash(): void;
  /** The connection breaks; it is made again after `retryInMs`, or when the store is back. */
  lose(retryInMs: number): void;
  /** A message that `act`s at the store, and whose answer may come back. */
  publish(act: (reply: LinkReply) => void, extraMs?: number): void;
}

export interface LinkOptions {
  readonly plan: FaultPlan;
  readonly clockwork: Clockwork;
  readonly program: SimProgram;
  readonly store: SimStore;
  readonly changed: (up: boolean) => void;
}

const reconnectMs = 120;

export function createLink({ plan, clockwork, program, store, changed }: LinkOptions): Link {
  const { random } = clockwork;
  const { faults } = plan;
  let isUp = false;
  /** Counts the connections; answers of an earlier one do not arrive. */
  let connection = 0;
  /** The server that this connection was made to. */
  let life = 0;

  function connect(): void {
    if (isUp) return;
    if (!store.isUp) {
      program.deliver(reconnectMs, connect);
      return;
    }
    isUp = true;
    connection += 1;
    life = store.life;
    changed(true);
  }

  function delayMs(): number {
    return random.chance(faults.slow) ? random.below(3000) : 0.2 + random.next() * 4;
  }

  function arrive(act: (reply: LinkReply) => void, sentTo: number, from: number): void {
    if (store.life !== sentTo || !store.isUp) return;
    act((deliver) => {
      if (random.chance(faults.lost)) return clockwork.meet("an answer of the store is lost");
      program.deliver(delayMs(), () => {
        if (connection === from && isUp) deliver();
      });
    });
  }

  return {
    get isUp() {
      return isUp;
    },
    start() {
      isUp = false;
      program.deliver(random.below(20), connect);
    },
    crash() {
      isUp = false;
    },
    lose(retryInMs) {
      program.deliver(random.below(30), () => {
        if (!isUp || (retryInMs === 0 && life === store.life)) return;
        isUp = false;
        clockwork.meet("a connection breaks");
        changed(false);
        program.deliver(retryInMs + reconnectMs, connect);
      });
    },
    publish(act, extraMs = 0) {
      if (!isUp) return;
      const sentTo = life;
      const from = connection;
      const copies = random.chance(faults.doubled) ? 2 : 1;
      if (copies > 1) clockwork.meet("a message to the store is doubled");
      for (let i = 0; i < copies; i += 1) {
        if (random.chance(faults.lost)) clockwork.meet("a message to the store is lost");
        else clockwork.after(delayMs() + extraMs, () => arrive(act, sentTo, from));
      }
    },
  };
}

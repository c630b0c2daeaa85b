// What one node knows of the others: calls are passed on, and their answers come back, each in a message that may be slow or lost.
import type { Call, Submit, TakeBack } from "../../../dataplane/src/call/index.ts";
import type { MeshPort } from "../../../dataplane/src/reactor/index.ts";
import type { Clockwork } from "./clockwork.ts";
import type { Holder } from "./holder.ts";
import type { FaultPlan } from "./options.ts";
import type { SimProcess } from "./process.ts";

export interface Network {
  readonly forward: MeshPort["forward"];
  start(): void;
  /** A call that was meant for that life of this node arrives. */
  arrive(incarnation: string, call: Call, remainingMs: number, told: Told): void;
  /** The calls to those whose lease has ended, and that did not come back, are lost. */
  leasesChanged(): void;
}

type Forwarded = Parameters<MeshPort["forward"]>[2];
type Told = Pick<Forwarded, "answered" | "undelivered"> & { readonly taken: (takeBack: TakeBack) => void };

export interface NetworkOptions {
  readonly index: number;
  readonly plan: FaultPlan;
  readonly clockwork: Clockwork;
  readonly process: SimProcess;
  readonly holder: Holder;
  readonly nodeOf: (incarnation: string) => Network;
  readonly enter: Submit;
}

interface Away {
  readonly incarnation: string;
  readonly told: Forwarded;
  takeBack: TakeBack | undefined;
}

export function createNetwork(options: NetworkOptions): Network {
  const { index, plan, clockwork, process, holder, nodeOf } = options;
  const { random } = clockwork;
  let away = new Set<Away>();
  const delayMs = (): number => (random.chance(plan.faults.slow) ? random.below(3000) : random.next() * 5);

  /** Ends one that is away, once, in this life of the process. */
  const end = (one: Away, tell: () => void): void => {
    if (away.delete(one)) tell();
  };

  return {
    forward(incarnation, call, told) {
      clockwork.say(`node ${index}: forwards ${call.method} to ${incarnation.slice(0, 4)}`);
      const one: Away = { incarnation, told, takeBack: undefined };
      const { generation } = process;
      const remainingMs = call.head.deadlineMs - process.monotonicMs;
      const back = (tell: () => void): void => {
        // an answer may get lost; that nobody listens is known at once
        clockwork.after(delayMs(), () => {
          if (process.generation === generation) process.deliver(0, () => end(one, tell));
        });
      };
      away.add(one);
      clockwork.after(delayMs(), () =>
        nodeOf(incarnation).arrive(incarnation, call, remainingMs, {
          answered: (answer, meta) => {
            if (!random.chance(plan.faults.lost)) back(() => told.answered(answer, meta));
          },
          undelivered: () => back(() => told.undelivered()),
          taken: (takeBack) => {
            one.takeBack = takeBack;
          },
        }),
      );
      return (why) => end(one, () => clockwork.after(delayMs(), () => one.takeBack?.(why)));
    },
    start() {
      away = new Set();
    },
    arrive: (incarnation, call, remainingMs, told) => arrive(options, incarnation, call, remainingMs, told),
    leasesChanged() {
      for (const one of away) {
        const standing = holder.standing(one.incarnation);
        if (standing.type === "ended" && standing.successor === undefined)
          end(one, () => {
            clockwork.say(`node ${index}: loses a call that it passed on`);
            one.told.lost();
          });
      }
    },
  };
}

/** As the bus: another life, or one whose lease may have ended, does not run it. */
function arrive(
  { index, clockwork, process, holder, enter }: NetworkOptions,
  incarnation: string,
  call: Call,
  remainingMs: number,
  told: Told,
): void {
  if (!process.isUp) {
    told.undelivered();
    return;
  }
  process.deliver(clockwork.random.next() * 3, () => {
    if (holder.incarnation !== incarnation || !holder.isValid()) {
      clockwork.say(`node ${index}: gets ${call.method}, which is for another life`);
      told.undelivered();
      return;
    }
    const { generation } = process;
    const deadlineMs = process.monotonicMs + remainingMs;
    const takeBack = enter({ ...call, head: { ...call.head, deadlineMs } }, (answer, meta) =>
      told.answered(answer, meta),
    );
    told.taken((why) => {
      if (process.generation === generation) process.deliver(0, () => takeBack(why));
    });
  });
}

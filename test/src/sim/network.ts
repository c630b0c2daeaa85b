// What one node knows of the others: calls are passed on, and their answers come back, each in a message
// that may be slow or lost.
import type { Call, Submit, TakeBack } from "../../../dataplane/src/call/index.ts";
import type { PassedOn } from "../../../dataplane/src/reactor/ports.ts";
import type { Clockwork } from "./clockwork.ts";
import type { Holder } from "./holder.ts";
import type { Link } from "./link.ts";
import type { FaultPlan } from "./options.ts";
import type { SimProgram } from "./program.ts";

type Told = Pick<PassedOn, "answered" | "undelivered"> & { readonly taken: (takeBack: TakeBack) => void };

export interface NetworkOptions {
  readonly index: number;
  readonly plan: FaultPlan;
  readonly clockwork: Clockwork;
  readonly program: SimProgram;
  readonly holder: Holder;
  readonly link: () => Link;
  readonly nodeOf: (incarnation: string) => Network;
  readonly submit: Submit;
}

interface Away {
  readonly incarnation: string;
  readonly told: PassedOn;
  takeBack: TakeBack | undefined;
}

export class Network {
  readonly #options: NetworkOptions;
  #away = new Set<Away>();

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  start(): void {
    this.#away = new Set();
  }

  /** As the bus: what becomes of the call is told once, and to this life of the program. */
  forward(incarnation: string, call: Call, told: PassedOn): TakeBack {
    const { index, clockwork, program, link, nodeOf } = this.#options;
    clockwork.say(`node ${index}: forwards ${call.method} to ${incarnation.slice(0, 4)}`);
    clockwork.meet("a call is passed on");
    const one: Away = { incarnation, told, takeBack: undefined };
    this.#away.add(one);
    if (link().isUp) {
      const remainingMs = call.head.deadlineMs - program.clocks.monotonicMs;
      const heard = this.#listen(one);
      this.#send(() => nodeOf(incarnation).arrive(incarnation, call, remainingMs, heard));
    } else program.deliver(0, () => this.#end(one, () => told.undelivered()));
    return (why) =>
      this.#end(one, () => {
        clockwork.meet("a passed call is taken back");
        this.#send(() => one.takeBack?.(why));
      });
  }

  /**
   * A call that was meant for that life of this node arrives. As the bus: another life, or one whose lease
   * may have ended, does not run it.
   */
  arrive(incarnation: string, call: Call, remainingMs: number, told: Told): void {
    const { clockwork, program, link } = this.#options;
    if (!program.isUp) {
      clockwork.meet("a passed call comes to a dead program");
      told.undelivered();
    } else if (link().isUp)
      program.deliver(clockwork.random.next() * 3, () => this.#serve(incarnation, call, remainingMs, told));
    else {
      clockwork.meet("a passed call comes to a node without a connection");
      told.undelivered();
    }
  }

  /** The calls to those whose lease has ended, and that did not come back, are lost. */
  leasesChanged(): void {
    const { index, clockwork, holder } = this.#options;
    for (const one of this.#away) {
      const standing = holder.standing(one.incarnation);
      if (standing.type !== "ended" || standing.successor !== undefined) continue;
      this.#end(one, () => {
        clockwork.say(`node ${index}: loses a call that it passed on`);
        clockwork.meet("a passed call is lost with its node");
        one.told.lost();
      });
    }
  }

  /** An answer that was on its way is lost with the connection: so are all calls. */
  disconnected(): void {
    for (const one of this.#away)
      this.#end(one, () => {
        this.#options.clockwork.meet("a passed call is lost with the connection");
        one.told.lost();
      });
  }

  #serve(incarnation: string, call: Call, remainingMs: number, told: Told): void {
    const { index, clockwork, program, holder, submit } = this.#options;
    if (holder.incarnation !== incarnation || !holder.isValid()) {
      clockwork.say(`node ${index}: gets ${call.method}, which is for another life`);
      clockwork.meet("a passed call comes to a later life");
      told.undelivered();
      return;
    }
    const { generation } = program;
    const deadlineMs = program.clocks.monotonicMs + remainingMs;
    const takeBack = submit({ ...call, head: { ...call.head, deadlineMs } }, (answer, meta) =>
      told.answered(answer, meta),
    );
    told.taken((why) => {
      if (program.generation === generation) program.deliver(0, () => takeBack(why));
    });
  }

  /** What the other node says: an answer may get lost; that nobody listens is known at once. */
  #listen(one: Away): Told {
    const { plan, clockwork, program } = this.#options;
    const { generation } = program;
    const back = (report: () => void): void =>
      this.#send(() => {
        if (program.generation === generation) program.deliver(0, () => this.#end(one, report));
        else clockwork.meet("the answer of a passed call comes to a later life");
      });
    return {
      answered: (answer, meta) => {
        if (clockwork.random.chance(plan.faults.lost)) clockwork.meet("the answer of a passed call is lost");
        else back(() => one.told.answered(answer, meta));
      },
      undelivered: () =>
        back(() => {
          clockwork.meet("a passed call comes back");
          one.told.undelivered();
        }),
      taken: (takeBack) => {
        one.takeBack = takeBack;
      },
    };
  }

  /** A message on its way between two nodes. */
  #send(act: () => void): void {
    const { plan, clockwork } = this.#options;
    const { random } = clockwork;
    clockwork.after(random.chance(plan.faults.slow) ? random.below(3000) : random.next() * 5, act);
  }

  /** Ends one that is away, once. */
  #end(one: Away, report: () => void): void {
    if (this.#away.delete(one)) report();
  }
}

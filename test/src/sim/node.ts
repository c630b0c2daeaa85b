// A node of the simulated mesh: the product's reactor and lanes, on ports that model threads, a store and a
// network.
import { crc32 } from "node:zlib";
import { hash16 } from "@voda/proto/hash16";
import type { NamedSession, SessionName, SessionToken } from "@voda/proto/session";
import { type Answer, type Call, createNumbers, type Submit } from "../../../dataplane/src/call/index.ts";
import { type ColdReason, type Lane, openLane } from "../../../dataplane/src/lane/index.ts";
import { type HostWorld, Reactor } from "../../../dataplane/src/reactor/index.ts";
import { plainCall } from "../../../dataplane/test/call.ts";
import { phaseOf } from "../../../dataplane/test/phase.ts";
import { Violation } from "./checks.ts";
import type { Attempt, Operation } from "./clients.ts";
import type { Clockwork } from "./clockwork.ts";
import type { Occasion } from "./coverage.ts";
import { Holder } from "./holder.ts";
import type { LeaseNews, Leases } from "./leases.ts";
import { createLink, type Link } from "./link.ts";
import { Network } from "./network.ts";
import type { FaultPlan } from "./options.ts";
import { SimProgram } from "./program.ts";
import { askedSession, isAsked, mainSession, type Stores } from "./sessions.ts";
import type { Begun } from "./steps.ts";
import type { SimBell, SimStore } from "./store.ts";
import { createStorePort } from "./store-port.ts";
import { Threads } from "./threads.ts";

export interface NodeOptions {
  readonly index: number;
  readonly plan: FaultPlan;
  readonly clockwork: Clockwork;
  readonly stores: Stores;
  readonly leases: () => Leases;
  readonly answered: (attempt: Attempt, answer: Answer) => void;
  readonly operation: (number: number) => Operation;
  /** A handler is let do something outside. */
  readonly begins: (begun: Begun) => void;
  /** The handler of an operation ends the node, or the node is closed under it; else it ends. */
  readonly kill: (node: SimNode, operation: Operation, end: () => void) => void;
  /** The node that has, or had, this incarnation. */
  readonly nodeOf: (incarnation: string) => SimNode;
}

/** What counts up for the life of a program has no end at 2^32. */
const firstNumber = 2 ** 32 - 3;

const coldOccasions: Readonly<Partial<Record<ColdReason | "refused", Occasion>>> = {
  released: "a session sleeps",
  fenced: "a session is fenced",
  ended: "a session ends",
};

export class SimNode {
  readonly program: SimProgram;
  readonly holder: Holder;
  readonly link: Link;
  readonly network: Network;
  readonly #options: NodeOptions;
  readonly #threads: Threads;
  /** Bells whose time comes soon. */
  readonly #waits = new Set<number>();
  #numbers = createNumbers(firstNumber);
  #owed = new Set<number>();
  #lane: Lane | undefined;
  #reactor: Reactor;

  constructor(options: NodeOptions) {
    const { index, plan, clockwork, stores, leases } = options;
    const program = new SimProgram(clockwork);
    this.#options = options;
    this.program = program;
    this.#threads = new Threads({
      clockwork,
      program,
      operation: options.operation,
      begins: options.begins,
      kill: (operation, end) => options.kill(this, operation, end),
      arrives: (call) => this.#checkAsked(call),
    });
    this.holder = new Holder({
      index,
      clockwork,
      program,
      leases,
      link: () => this.link,
      changed: () => this.#reactor.dispatchAll({ type: "leases" }),
    });
    this.link = createLink({
      plan,
      clockwork,
      program,
      store: stores.main,
      changed: (up) => this.#connectionChanged(up),
    });
    this.network = new Network({
      index,
      plan,
      clockwork,
      program,
      holder: this.holder,
      link: () => this.link,
      nodeOf: (incarnation) => options.nodeOf(incarnation).network,
      submit: (call, reply) =>
        this.#submit({ ...call, head: { ...call.head, number: this.#numbers() } }, reply),
    });
    this.#reactor = this.#createReactor();
  }

  get isIdle(): boolean {
    return this.#reactor.isEmpty;
  }

  /** Calls that came to this life of the program and have no answer. */
  get unanswered(): number {
    return this.#owed.size;
  }

  start(): void {
    this.program.start();
    this.#numbers = createNumbers(firstNumber);
    this.#threads.start();
    this.network.start();
    this.#waits.clear();
    this.#lane = undefined;
    this.#owed = new Set();
    this.#reactor = this.#createReactor();
    this.#say("starts");
    this.holder.start();
    this.link.start();
    if (this.#options.plan.sends + this.#options.plan.timers > 0) this.#checkBells();
  }

  /** As the product's rounds: whoever finds the bell of a life that is gone has its session woken. */
  #checkBells(): void {
    const { clockwork, stores } = this.#options;
    const { program, link } = this;
    program.deliver(1_000 + clockwork.random.below(1_000), () => this.#checkBells());
    for (const session of [mainSession, askedSession]) {
      const store = stores[isAsked(session.name) ? "asked" : "main"];
      link.publish((reply) => {
        const { bell } = store;
        reply(() => {
          if (bell !== undefined && this.#isOrphan(session.token, bell))
            this.#answerWhenDue(session, bell, store);
        });
      });
    }
  }

  /** As the product's, which look two rounds ahead. */
  #answerWhenDue(session: typeof mainSession, bell: SimBell, store: SimStore): void {
    const inMs = bell.dueMs - this.program.clocks.storeMs;
    if (inMs <= 0) return this.#answer(session, bell, store);
    if (inMs > 4_000 || this.#waits.has(bell.seq)) return;
    this.#waits.add(bell.seq);
    this.program.deliver(inMs, () => {
      this.#waits.delete(bell.seq);
      if (this.#isOrphan(session.token, bell)) this.#answer(session, bell, store);
    });
  }

  #isOrphan(token: SessionToken, { incarnation }: SimBell): boolean {
    const { holder } = this;
    if (incarnation === holder.incarnation) return !this.#reactor.isHere(token);
    const standing = holder.standing(incarnation);
    if (standing.type === "living") return false;
    if (standing.successor === holder.incarnation) return !this.#reactor.isHere(token);
    return standing.successor === undefined;
  }

  #answer(session: typeof mainSession, { seq }: SimBell, store: SimStore): void {
    const { clockwork } = this.#options;
    clockwork.meet("a bell wakes a session");
    const call = orderOf(session, this.#numbers(), this.program.clocks.monotonicMs + 10_000);
    this.#submit(call, (answer) => {
      if (answer.ok) this.link.publish(() => store.unring(seq));
    });
  }

  crash(): void {
    this.#say("dies");
    this.program.crash();
    this.link.crash();
  }

  /** A call of a client comes in. */
  receive(attempt: Attempt): void {
    const { clockwork, answered } = this.#options;
    const { random } = clockwork;
    this.program.deliver(random.next() * 3, () => {
      const call = callOf(attempt, this.#numbers(), this.program.clocks.monotonicMs + attempt.timeoutMs);
      const { number } = call.head;
      this.#say(`gets ${attempt.operation.kind} ${attempt.operation.number} as call ${number}`);
      let isAnswered = false;
      const takeBack = this.#submit(call, (answer) => {
        if (isAnswered) throw new Violation(`call ${number} is answered twice`);
        isAnswered = true;
        answered(attempt, answer);
      });
      if (random.chance(0.05))
        this.program.deliver(random.below(attempt.timeoutMs), () => {
          if (!isAnswered) clockwork.meet("a caller leaves");
          takeBack("caller");
        });
    });
  }

  readonly #submit: Submit = (call, reply) => {
    const owed = this.#owed;
    const { number } = call.head;
    owed.add(number);
    return this.#reactor.submit(call, (answer, meta) => {
      owed.delete(number);
      reply(answer, meta);
    });
  };

  sleep(): void {
    this.program.deliver(0, () => {
      void this.#reactor.sleep(mainSession.token);
      void this.#reactor.sleep(askedSession.token);
    });
  }

  /** The worker threads die. */
  loseWorkers(): void {
    this.program.deliver(0, () => {
      this.#say("loses its workers");
      this.#options.clockwork.meet("workers are lost");
      this.#threads.lose((activation, calls) => {
        const begun = { has: (call: number) => calls.has(call), holder: undefined, last: undefined };
        this.#reactor.workerLost({
          activations: [activation],
          begun,
          overdue: undefined,
          why: "it was lost",
        });
      });
    });
  }

  hear(news: LeaseNews): void {
    const { random } = this.#options.clockwork;
    this.program.deliver(random.chance(0.1) ? random.below(800) : random.next() * 20, () => {
      this.holder.hear(news);
      this.network.leasesChanged();
      this.#reactor.dispatchAll({ type: "leases" });
    });
  }

  describe(): string {
    const lane = this.#lane === undefined ? "without a lane" : phaseOf(this.#lane);
    const phase = this.program.isUp ? lane : "dead";
    return `node ${this.#options.index}: ${phase} ${this.holder.incarnation.slice(0, 4)}`;
  }

  /** An ask leaves from committed state only; what a power loss takes is seen elsewhere. */
  #checkAsked({ method, traceparent: seen }: Call): void {
    const { stores, plan } = this.#options;
    if (plan.faults.powerLosses > 0) return;
    if (!stores.main.versions.some((version) => version.effects.join(" ") === seen))
      throw new Violation(`dirty ask: ${method} was asked from the state "${seen}", which is not committed`);
  }

  #say(line: string): void {
    this.#options.clockwork.say(`node ${this.#options.index}: ${line}`);
  }

  #connectionChanged(up: boolean): void {
    this.#say(`connection ${up ? "up" : "down"}`);
    if (!up) this.network.disconnected();
    this.#reactor.dispatchAll({ type: "connection", up });
    if (up) this.holder.connected();
  }

  #createReactor(): Reactor {
    const { program, link } = this;
    const { clockwork, stores, plan } = this.#options;
    const say = (line: string): void => this.#say(line);
    const store = createStorePort({ clockwork, program, link, stores, say });
    return new Reactor({
      ports: {
        worker: this.#threads.port,
        store,
        callers: { check: (call, _grant, done) => done(call), threadEnded: () => undefined },
        mesh: {
          forward: (incarnation, call, told) => this.network.forward(incarnation, call, told),
          owned: ({ epoch }) => say(`owns the session in epoch ${epoch}`),
          released: (session, why) => {
            store.forget(session);
            say(`cold, ${why}`);
            const occasion = coldOccasions[why];
            if (occasion !== undefined) clockwork.meet(occasion);
          },
          report: (session, kind, message) => this.#incident(session, kind, message),
          deadWords: "",
          warn: (_session, message) => say(message),
        },
      },
      world: createWorld(this, clockwork, () => this.#numbers()),
      timers: {
        nowMs: () => program.clocks.monotonicMs,
        at(atMs, act) {
          let isArmed = true;
          program.at(atMs, () => {
            if (isArmed) act();
          });
          return () => {
            isArmed = false;
          };
        },
      },
      openLane: (name) => {
        const lane = createLane(name, plan, link.isUp);
        if (!isAsked(name)) this.#lane = lane;
        return lane;
      },
      hint: "",
    });
  }

  #incident({ name }: NamedSession, kind: string, message: string): void {
    this.#say(`incident ${kind}: ${message}`);
    if (kind === "dead_letter") return;
    this.#options.clockwork.meet("loss is reported");
    const { clockwork, plan, stores } = this.#options;
    if (kind !== "data_loss" || plan.faults.powerLosses === 0)
      throw new Violation(`incident ${kind}: ${message}`);
    const store = stores[isAsked(name) ? "asked" : "main"];
    clockwork.after(clockwork.random.below(3000), () => store.acceptLoss());
  }
}

function createWorld(
  { program, holder }: Pick<SimNode, "program" | "holder">,
  { random }: Clockwork,
  unique: () => number,
): HostWorld {
  return {
    refresh: () => undefined,
    get storeMs() {
      return program.clocks.storeMs;
    },
    get monotonicMs() {
      return program.clocks.monotonicMs;
    },
    get incarnation() {
      return holder.incarnation;
    },
    leaseValid: () => holder.isValid(),
    standing: (incarnation) => holder.standing(incarnation),
    wasClosed: (incarnation) => holder.wasClosed(incarnation),
    unique,
    birth: () => Uint8Array.from({ length: 16 }, () => random.below(256)),
  };
}

function orderOf(session: typeof mainSession, number: number, deadlineMs: number): Call {
  return plainCall(number, deadlineMs, { ...session, head: { type: "deliver" }, method: "" });
}

function createLane(name: SessionName, plan: FaultPlan, connected: boolean): Lane {
  return openLane({ name, crc32, hash: hash16, connected, folds: plan.folds });
}

function callOf({ operation, id }: Attempt, number: number, deadlineMs: number): Call {
  const { kind } = operation;
  const type = kind === "wakeAsked" ? "wake" : kind === "end" || kind === "wake" ? kind : "invoke";
  return plainCall(number, deadlineMs, {
    ...(kind === "wakeAsked" ? askedSession : mainSession),
    head: { type, readonly: kind === "read", id, bytes: 10 },
    method: String(operation.number),
  });
}

// Clients: operations that are tried at some node until they are answered, and what an answer must say at
// that instant.
import type { Answer, CallId, Failure } from "../../../dataplane/src/call/index.ts";
import { opOf, Violation } from "./checks.ts";
import type { Clockwork } from "./clockwork.ts";
import type { FaultPlan } from "./options.ts";
import type { Stores } from "./sessions.ts";
import { decodeTold } from "./told.ts";

export type OperationType =
  | "ask"
  | "unkeyedAsk"
  | "run"
  | "unkeyedRun"
  | "send"
  | "poison"
  | "moody"
  | "killer"
  | "closing"
  | "later"
  | "every"
  | "cancel"
  | "wakeAsked"
  | "write"
  | "unkeyed"
  | "throw"
  | "read"
  | "end"
  | "wake";

/** What the handler of an operation does with a timer: its own, or that of another operation. */
export interface OperationTiming {
  readonly type: "in" | "every" | "never";
  readonly ms: number;
  readonly of: number;
}

export interface Operation {
  readonly number: number;
  readonly kind: OperationType;
  readonly timing: OperationTiming | undefined;
  isDone: boolean;
  attempts: number;
  /** How many attempts there were when its handler began for the first time: it began for one of them. */
  begunBy: number | undefined;
  /** Attempts that, as their callers were told, did not begin. */
  readonly unbegun: Set<number>;
}

/** One sending of an operation. What it reads must not be older than what was known before it was sent. */
export interface Attempt {
  readonly operation: Operation;
  /** Of the attempts of the operation, from 1. */
  readonly number: number;
  readonly id: CallId | undefined;
  readonly timeoutMs: number;
  /** Index of a version. */
  atLeast: number;
  /** How often power was lost before: what was true then may be told after the next loss. */
  readonly losses: number;
}

type Outcome =
  | { readonly type: "reply"; readonly answer: Uint8Array }
  | { readonly type: "fail"; readonly failure: Failure }
  | { readonly type: "done" };

export interface ClientsOptions {
  readonly plan: FaultPlan;
  readonly clockwork: Clockwork;
  readonly stores: Stores;
  /** Sends the attempt to some node. */
  readonly send: (attempt: Attempt) => void;
}

/** Some timers are due when nothing fails any more. */
const calmTimersMs = 90_000;

export class Clients {
  readonly #options: ClientsOptions;
  readonly #operations: Operation[] = [];
  readonly #attempts = new Set<Attempt>();
  /** Effects that a loss of power took back. */
  readonly #lost = new Set<string>();
  readonly #lostStates = new Set<string>();
  /** Operations that happened in the first session, which forgot them. */
  readonly #forgotten = new Set<number>();
  /** Index of the newest version that any client has proof of. */
  #known = 0;
  #losses = 0;

  constructor(options: ClientsOptions) {
    this.#options = options;
    const { plan, clockwork } = options;
    this.#add("write", plan.writes);
    this.#add("unkeyed", plan.unkeyed);
    this.#add("throw", plan.throwing);
    this.#add("read", plan.reads);
    this.#add("end", plan.ends);
    this.#add("ask", plan.asks);
    this.#add("unkeyedAsk", Math.floor(plan.asks / 3));
    this.#add("run", plan.runs);
    this.#add("unkeyedRun", Math.floor(plan.runs / 3));
    this.#add("send", plan.sends);
    this.#add("poison", Math.floor(plan.sends / 3));
    this.#add("moody", Math.floor(plan.sends / 2));
    this.#add("killer", plan.killers);
    this.#add("closing", plan.closings);
    this.#addTimers(plan.timers);
    this.#add("wake", clockwork.random.below(2));
  }

  get operations(): readonly Operation[] {
    return this.#operations;
  }

  get areDone(): boolean {
    return this.#operations.every((operation) => operation.isDone);
  }

  operation(number: number): Operation {
    const found = this.#operations[number - 1];
    if (found === undefined) throw new Violation(`there is no operation ${number}`);
    return found;
  }

  begin(): void {
    const { plan, clockwork } = this.#options;
    for (const operation of this.#operations)
      clockwork.after(clockwork.random.below(plan.busyMs), () => this.#attempt(operation));
  }

  /** Has the session woken by somebody, so that it can be put to sleep. */
  wake(which: "wake" | "wakeAsked"): void {
    for (const operation of this.#add(which, 1)) this.#attempt(operation);
  }

  /** The node answers, now; checked at once. The client hears of it later, or never. */
  answered(sent: Attempt, answer: Answer): void {
    const { plan, clockwork } = this.#options;
    const { operation } = sent;
    const outcome = outcomeOf(operation, answer);
    clockwork.say(`answer to ${operation.kind} ${operation.number}: ${textOf(outcome)}`);
    const seen = outcome.type === "reply" ? this.#check(sent, outcome.answer) : undefined;
    if (outcome.type === "fail") this.#refused(sent, outcome.failure);
    if (clockwork.random.chance(plan.faults.lost)) return;
    const lossesThen = this.#losses;
    clockwork.after(clockwork.random.next() * 20, () => {
      if (outcome.type === "fail") return;
      operation.isDone = true;
      if (seen !== undefined && this.#losses === lossesThen) this.#known = Math.max(this.#known, seen);
    });
  }

  /** Versions from `length` on never happened. */
  forget(length: number): void {
    this.#losses += 1;
    this.#known = Math.min(this.#known, length - 1);
    for (const sent of this.#attempts) sent.atLeast = Math.min(sent.atLeast, length - 1);
    const { versions } = this.#options.stores.main;
    const kept = versions[length - 1]?.ever.length;
    for (const version of versions.slice(length)) {
      for (const effect of version.ever.slice(kept)) {
        this.#lost.add(effect);
        this.#forgotten.add(opOf(effect));
      }
      this.#lostStates.add(version.effects.join(" "));
    }
  }

  /** What it sent may be taken, and is sent again where a node repeats it. */
  isForgotten(operation: number): boolean {
    return this.#forgotten.has(operation);
  }

  /** The same in the session that is asked. */
  forgetAsked(length: number): void {
    for (const version of this.#options.stores.asked.versions.slice(length))
      for (const effect of version.ever) this.#lost.add(effect);
  }

  /** Each that comes again is taken back, and some of the others. */
  #addTimers(count: number): void {
    const { plan, clockwork } = this.#options;
    const { random } = clockwork;
    const inMs = (): number => random.below(random.chance(0.5) ? 500 : plan.busyMs + calmTimersMs);
    for (let i = 0; i < count; i += 1) {
      const isRepeated = i % 3 === 2;
      const timing = isRepeated
        ? ({ type: "every", ms: 700 + random.below(3_000) } as const)
        : ({ type: "in", ms: inMs() } as const);
      const of = this.#operations.length + 1;
      this.#add(isRepeated ? "every" : "later", 1, { ...timing, of });
      if (isRepeated || i % 3 === 1) this.#add("cancel", 1, { type: "never", ms: 0, of });
    }
  }

  #add(kind: OperationType, count: number, timing?: OperationTiming): readonly Operation[] {
    const first = this.#operations.length + 1;
    const added = Array.from({ length: count }, (_, i) => ({
      number: first + i,
      kind,
      timing,
      isDone: false,
      attempts: 0,
      begunBy: undefined,
      unbegun: new Set<number>(),
    }));
    this.#operations.push(...added);
    return added;
  }

  #attempt(operation: Operation): void {
    if (operation.isDone) return;
    const { clockwork } = this.#options;
    const { kind, timing } = operation;
    if (kind === "cancel" && timing !== undefined && this.#isTooEarly(timing.of)) {
      clockwork.after(clockwork.random.below(1_000), () => this.#attempt(operation));
      return;
    }
    const timeoutMs = 300 + clockwork.random.below(4000);
    this.#send(operation, timeoutMs);
    // a client that does not wait for the answer
    if (isKeyed(operation.kind) && clockwork.random.chance(0.1))
      clockwork.after(clockwork.random.below(timeoutMs), () => this.#send(operation, timeoutMs));
    clockwork.after(timeoutMs + 50, () => this.#again(operation));
  }

  /** It is taken back some seconds after it was set. */
  #isTooEarly(of: number): boolean {
    return !this.operation(of).isDone || this.#options.clockwork.random.chance(0.85);
  }

  #send(operation: Operation, timeoutMs: number): void {
    if (operation.isDone) return;
    operation.attempts += 1;
    const [number, id] = [operation.attempts, this.#idOf(operation)];
    const sent = { operation, number, id, timeoutMs, atLeast: this.#known, losses: this.#losses };
    this.#attempts.add(sent);
    this.#options.send(sent);
  }

  #again(operation: Operation): void {
    const { clockwork } = this.#options;
    // nobody can tell whether a call without an id took effect: it is not sent twice
    if (unkeyed.includes(operation.kind)) operation.isDone = true;
    if (!operation.isDone) clockwork.after(clockwork.random.below(100), () => this.#attempt(operation));
  }

  /** Attempts of one operation have one id; now and then one is written otherwise. */
  #idOf({ kind, number }: Operation): CallId | undefined {
    if (!isKeyed(kind)) return undefined;
    const { plan, clockwork } = this.#options;
    const id = new Uint8Array(16).fill(number);
    const rawHash = id.slice();
    rawHash[0] = clockwork.random.chance(0.2) ? 1 : 0;
    if (!plan.numbered) return { type: "key", id, keepMs: plan.keepMs, rawHash };
    const waiting = this.#operations.filter((other) => isKeyed(other.kind) && !other.isDone);
    const lowest = Math.min(number, ...waiting.map((other) => other.number));
    return { type: "numbered", client: new Uint8Array(16).fill(255), seq: number, lowest, rawHash };
  }

  /** Index of the version that the answer proves. @throws Violation */
  #check(sent: Attempt, answer: Uint8Array): number {
    const { stores, clockwork } = this.#options;
    const store = stores.main;
    const { kind, number } = sent.operation;
    const told = decodeTold(answer);
    if ("effect" in told) {
      if (told.asked !== undefined) this.#checkAsked(told.asked);
      if (told.ran !== undefined) this.#checkRan(sent.operation, told.ran);
      const at = store.versions.findIndex((version) => version.ever.includes(told.effect));
      if (at < 0 && !this.#lost.has(told.effect))
        throw new Violation(`acknowledged effect ${told.effect} is not in the lane`);
      return Math.max(0, at);
    }
    clockwork.meet("failed" in told ? "a handler fails" : "a reader is answered");
    const state = "failed" in told ? told.failed : told.state;
    const at = store.versions.findIndex(
      (version, i) => i >= sent.atLeast && version.effects.join(" ") === state,
    );
    if (at >= 0) return at;
    if (sent.losses < this.#losses && this.#lostStates.has(state)) return 0;
    const old = store.versions.some((version) => version.effects.join(" ") === state);
    throw new Violation(`${old ? "stale" : "dirty"} read: ${kind} ${number} saw "${state}"`);
  }

  /** What came of its steps is what the lane has. @throws Violation */
  #checkRan({ kind, number }: Operation, ran: readonly string[]): void {
    const made = ran.filter((result) => kind === "run" && !this.#options.stores.main.results.has(result));
    if (made.length > 0) throw new Violation(`${number} goes on from ${made.join(", ")}, which no lane has`);
  }

  /** @throws Violation */
  #checkAsked(effect: string): void {
    const { stores, clockwork } = this.#options;
    clockwork.meet("an asked session answers");
    if (this.#lost.has(effect)) return;
    if (!stores.asked.versions.some((version) => version.ever.includes(effect)))
      throw new Violation(`acknowledged effect ${effect} is not in the lane of the session that was asked`);
  }

  /** @throws Violation when the world gave no reason */
  #refused({ operation, number }: Attempt, { reason, message }: Failure): void {
    if (message.includes("did not begin")) {
      this.#options.clockwork.meet("a call is told that it did not begin");
      operation.unbegun.add(number);
      checkUnbegun(operation);
    }
    if (reason === "turn_timeout") this.#options.clockwork.meet("a caller's deadline passes");
    // a copy that comes when the client has its answer
    if (reason === "answer_not_kept" && operation.isDone) return;
    if (reasonsOfTheWorld.includes(reason)) return;
    // until the operator accepts it
    if (reason === "data_loss" && this.#options.plan.faults.powerLosses > 0) return;
    const what = `${operation.kind} ${operation.number}`;
    throw new Violation(`${what} failed for no reason of the world: ${reason}: ${message}`);
  }
}

/** The operation's handler begins. @throws Violation when every caller was told that it did not */
export function noteBegun(operation: Operation): void {
  operation.begunBy ??= operation.attempts;
  checkUnbegun(operation);
}

/** @throws Violation when its handler has begun, and every attempt that there was then is said not to have */
function checkUnbegun({ kind, number, begunBy, unbegun }: Operation): void {
  if (begunBy === undefined) return;
  for (let attempt = 1; attempt <= begunBy; attempt += 1) if (!unbegun.has(attempt)) return;
  throw new Violation(`${kind} ${number} began, and its callers were told that it did not begin`);
}

const reasonsOfTheWorld: readonly string[] = [
  "turn_timeout",
  "interrupted",
  "not_owner",
  "store_away",
  "store_full",
  "worker_lost",
];

const unkeyed: readonly OperationType[] = ["unkeyed", "unkeyedAsk", "unkeyedRun"];
const keyed: readonly OperationType[] = [
  "write",
  "throw",
  "ask",
  "run",
  "send",
  "poison",
  "moody",
  "killer",
  "closing",
  "later",
  "every",
  "cancel",
];
const isKeyed = (kind: OperationType): boolean => keyed.includes(kind);

/** Its handler does something outside. */
export const isRun = ({ kind }: Operation): boolean => kind === "run" || kind === "unkeyedRun";

/** Orders are answered without words. */
function outcomeOf({ kind }: Operation, answer: Answer): Outcome {
  if (!answer.ok) return { type: "fail", failure: answer.failure };
  const isOrder = kind === "end" || kind === "wake" || kind === "wakeAsked";
  return isOrder ? { type: "done" } : { type: "reply", answer: answer.body };
}

function textOf(outcome: Outcome): string {
  if (outcome.type === "reply") return JSON.stringify(decodeTold(outcome.answer));
  return outcome.type === "fail" ? outcome.failure.reason : "done";
}

// Clients: operations that are tried at some node until they are answered, and what an answer must say at
// that instant.
import type { Answer, CallId, Failure } from "../../../dataplane/src/call/index.ts";
import { Violation } from "./checks.ts";
import type { Clockwork } from "./clockwork.ts";
import type { FaultPlan } from "./options.ts";
import type { SimStore } from "./store.ts";
import { decodeTold } from "./worker.ts";

export type OperationType = "write" | "unkeyed" | "throw" | "read" | "end" | "wake";

export interface Operation {
  readonly number: number;
  readonly kind: OperationType;
  isDone: boolean;
  attempts: number;
}

/** One sending of an operation. What it reads must not be older than what was known before it was sent. */
export interface Attempt {
  readonly operation: Operation;
  readonly id: CallId | undefined;
  readonly timeoutMs: number;
  /** Index of a version. */
  atLeast: number;
}

type Outcome =
  | { readonly type: "reply"; readonly answer: Uint8Array }
  | { readonly type: "fail"; readonly failure: Failure }
  | { readonly type: "done" };

export interface Clients {
  readonly operations: readonly Operation[];
  readonly areDone: boolean;
  operation(number: number): Operation;
  begin(): void;
  /** Has the session woken by somebody, so that it can be put to sleep. */
  wake(): void;
  /** The node answers, now; checked at once. The client hears of it later, or never. */
  answered(attempt: Attempt, answer: Answer): void;
  /** Versions from `length` on never happened. */
  forget(length: number): void;
}

export interface ClientsOptions {
  readonly plan: FaultPlan;
  readonly clockwork: Clockwork;
  readonly store: SimStore;
  /** Sends the attempt to some node. */
  readonly send: (attempt: Attempt) => void;
}

export function createClients({ plan, clockwork, store, send }: ClientsOptions): Clients {
  const { random } = clockwork;
  const operations: Operation[] = [];
  const add = (kind: OperationType, count: number): void => {
    for (let i = 0; i < count; i += 1)
      operations.push({ number: operations.length + 1, kind, isDone: false, attempts: 0 });
  };
  add("write", plan.writes);
  add("unkeyed", plan.unkeyed);
  add("throw", plan.throwing);
  add("read", plan.reads);
  add("end", plan.ends);
  add("wake", random.below(2));
  const attempts = new Set<Attempt>();
  /** Effects that a loss of power took back. */
  const lost = new Set<string>();
  /** Index of the newest version that any client has proof of. */
  let known = 0;
  let losses = 0;

  function attempt(operation: Operation): void {
    if (operation.isDone) return;
    operation.attempts += 1;
    const timeoutMs = 300 + random.below(4000);
    const sent: Attempt = { operation, id: idOf(operation), timeoutMs, atLeast: known };
    attempts.add(sent);
    send(sent);
    clockwork.after(timeoutMs + 50, () => {
      repeat(operation);
    });
  }

  /** Attempts of one operation have one id; now and then one is written otherwise. */
  function idOf({ kind, number }: Operation): CallId | undefined {
    if (!isKeyed(kind)) return undefined;
    const id = new Uint8Array(16).fill(number);
    const rawHash = id.slice();
    rawHash[0] = random.chance(0.2) ? 1 : 0;
    if (!plan.numbered) return { type: "key", id, keepMs: plan.keepMs, rawHash };
    const waiting = operations.filter((other) => isKeyed(other.kind) && !other.isDone);
    const lowest = Math.min(number, ...waiting.map((other) => other.number));
    return { type: "numbered", client: new Uint8Array(16).fill(255), seq: number, lowest, rawHash };
  }

  function repeat(operation: Operation): void {
    // nobody can tell whether a call without an id took effect: it is not sent twice
    if (operation.kind === "unkeyed") operation.isDone = true;
    if (!operation.isDone) clockwork.after(random.below(100), () => attempt(operation));
  }

  function answered(sent: Attempt, answer: Answer): void {
    const { operation } = sent;
    const outcome = outcomeOf(operation, answer);
    clockwork.say(`answer to ${operation.kind} ${operation.number}: ${textOf(outcome)}`);
    const seen = outcome.type === "reply" ? check(sent, outcome.answer) : undefined;
    if (outcome.type === "fail") refuse(operation, outcome.failure);
    if (random.chance(plan.faults.lost)) return;
    const lossesThen = losses;
    clockwork.after(random.next() * 20, () => {
      if (outcome.type === "fail") return;
      operation.isDone = true;
      if (seen !== undefined && losses === lossesThen) known = Math.max(known, seen);
    });
  }

  /** Index of the version that the answer proves. @throws Violation */
  function check(sent: Attempt, answer: Uint8Array): number {
    const { kind, number } = sent.operation;
    const told = decodeTold(answer);
    if ("effect" in told) {
      const at = store.versions.findIndex((version) => version.ever.includes(told.effect));
      if (at < 0 && !lost.has(told.effect))
        throw new Violation(`acknowledged effect ${told.effect} is not in the lane`);
      return Math.max(0, at);
    }
    const state = "failed" in told ? told.failed : told.state;
    const at = store.versions.findIndex(
      (version, i) => i >= sent.atLeast && version.effects.join(" ") === state,
    );
    if (at >= 0) return at;
    const old = store.versions.some((version) => version.effects.join(" ") === state);
    throw new Violation(`${old ? "stale" : "dirty"} read: ${kind} ${number} saw "${state}"`);
  }

  return {
    operations,
    operation(number) {
      const found = operations[number - 1];
      if (found === undefined) throw new Violation(`there is no operation ${number}`);
      return found;
    },
    get areDone() {
      return operations.every((operation) => operation.isDone);
    },
    begin() {
      for (const operation of operations)
        clockwork.after(random.below(plan.busyMs), () => attempt(operation));
    },
    wake() {
      add("wake", 1);
      const last = operations.at(-1);
      if (last !== undefined) attempt(last);
    },
    answered,
    forget(length) {
      losses += 1;
      known = Math.min(known, length - 1);
      for (const sent of attempts) sent.atLeast = Math.min(sent.atLeast, length - 1);
      for (const version of store.versions.slice(length)) for (const effect of version.ever) lost.add(effect);
    },
  };
}

const isKeyed = (kind: OperationType): boolean => kind === "write" || kind === "throw";

/** Orders are answered without words. */
function outcomeOf({ kind }: Operation, answer: Answer): Outcome {
  if (!answer.ok) return { type: "fail", failure: answer.failure };
  return kind === "end" || kind === "wake" ? { type: "done" } : { type: "reply", answer: answer.body };
}

function refuse(operation: Operation, { reason, message }: Failure): void {
  // a copy that comes when the client has its answer
  if (reason === "answer_not_kept" && operation.isDone) return;
  const isOurs = [
    "turn_timeout",
    "interrupted",
    "not_owner",
    "store_away",
    "store_full",
    "worker_lost",
  ].includes(reason);
  if (!isOurs)
    throw new Violation(
      `${operation.kind} ${operation.number} failed for no reason of the world: ${reason}: ${message}`,
    );
}

function textOf(outcome: Outcome): string {
  if (outcome.type === "reply") return JSON.stringify(decodeTold(outcome.answer));
  return outcome.type === "fail" ? outcome.failure.reason : "done";
}

// An activation in a test's hand: an agent with handlers of all kinds, and what the activation said of them.
import assert from "node:assert/strict";
import { setImmediate as loopTick } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { openState, type Schema, type SessionState } from "@voda/state";
import { systemClock } from "@voda/stdx";
import { agent, s, VodaError } from "voda";
import { type AnyAgent, definitionOf, handlersOf, workflowsOf } from "voda/definition";
import {
  type Answer,
  type AskMessage,
  type CallId,
  type CheckMessage,
  type Content,
  decodeAnswer,
  type Failure,
  type StepDoneMessage,
  type StepMessage,
} from "../src/call/index.ts";
import {
  BegunWriter,
  createBegunTable,
  fromWorker,
  readBegun,
  type SessionMessage,
} from "../src/threads/index.ts";
import type { TurnMessage } from "../src/turn/index.ts";
import { type ActivationOptions, WorkerActivation } from "../src/worker/activation.ts";
import { threadWorld } from "../src/worker/world.ts";
import { plainCall } from "./call.ts";

const utf8 = new TextDecoder();

/** Promises of handlers that a test lets go. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

/** What is asked: only its name and types count here. */
const asked = agent("asked").handlers({ add: (_ctx, by: number) => by });

/** Whatever a handler can throw or return that hurts who looks at it. */
const strange = {
  wrongShape() {
    throw new TypeError("of a method without input");
  },
  strange() {
    throw Object.create(null);
  },
  wrongError() {
    throw Object.assign(new VodaError("aborted", "m"), { code: "nonsense", message: 7 });
  },
  revoked() {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  thenGetter: () => ({
    get ["THEN".toLowerCase()](): never {
      throw new Error("read by a getter");
    },
  }),
  badInspect() {
    throw {
      [Symbol.for("nodejs.util.inspect.custom")]() {
        throw new Error("inspected");
      },
      get stack(): never {
        throw new Error("asked for its stack");
      },
    };
  },
  unwritable: () => ({
    toJSON(): never {
      throw Object.create(null);
    },
  }),
  strangePromise: () =>
    Object.defineProperty(Promise.resolve(null), "constructor", {
      get: () => {
        throw new Error("asked for its constructor");
      },
    }),
  thenable: () => new Proxy({}, { has: () => true, get: () => assert.fail }) as never,
};

/** A schema that never answers. */
const validate = (): Promise<{ readonly value: number }> => new Promise(() => undefined);
const silent = { "~standard": { version: 1 as const, vendor: "test", validate } };

/** Handlers of all kinds; some wait for `held`, and `seen` is what they saw. */
function probeAgent(held: ReturnType<typeof gate>, seen: unknown[]) {
  return agent("probe", { count: s.counter(), name: s.register("none") }, { maxTurn: "50ms" })
    .readonly({
      get: (ctx) => ({ count: ctx.state.count.value, name: ctx.state.name }),
      async slowGet(ctx) {
        await held.opened;
        return ctx.state.count.value;
      },
      never: () => new Promise<null>(() => undefined),
    })
    .handlers(strange)
    .handlers({
      add: (ctx, by: number) => ctx.state.count.add(by),
      async addHeld(ctx, by: number) {
        ctx.state.count.add(by);
        await held.opened;
        return ctx.state.count.value;
      },
      async hang(ctx) {
        ctx.state.count.add(1000);
        ctx.signal.addEventListener("abort", () => seen.push((ctx.signal.reason as VodaError).reason));
        await new Promise(() => undefined);
        return null;
      },
      asks: (ctx, by: number) => ctx.ask(asked, "other", { timeout: "20ms" }).add(by),
      asksAndGoes(ctx) {
        void ctx
          .ask(asked, "other")
          .add(1)
          .catch((error: unknown) => seen.push((error as VodaError).reason));
        return null;
      },
      refuse(ctx, message: string) {
        ctx.state.count.add(1000);
        throw new VodaError("failed_precondition", message);
      },
      async catches(ctx) {
        try {
          return await ctx.ask(asked, "other").add(1);
        } catch (error) {
          return VodaError.from(error).message;
        }
      },
    })
    .handler("unread", { input: silent, timeout: 5 }, () => assert.fail("it began"))
    .handler("brief", { timeout: 5 }, () => new Promise<null>(() => undefined));
}

function countViews(state: SessionState): { readonly counting: SessionState; readonly views: () => number } {
  let views = 0;
  const counting: SessionState = {
    get seq() {
      return state.seq;
    },
    get bytes() {
      return state.bytes;
    },
    apply: (delta) => state.apply(delta),
    begin: () => state.begin(),
    snapshot: () => state.snapshot(),
    view() {
      const view = state.view();
      views += 1;
      return {
        state: view.state,
        close() {
          view.close();
          views -= 1;
        },
      };
    },
  };
  return { counting, views: () => views };
}

function readAnswers(said: readonly TurnMessage[]) {
  const answerOf = (call: number): Answer => {
    const message = said.find((one) => one.call === call);
    assert.ok(message !== undefined && "answer" in message, `call ${call} has no answer`);
    return decodeAnswer(message.answer);
  };
  const value = (call: number): unknown => {
    const answer = answerOf(call);
    assert.ok(answer.ok, JSON.stringify(answer));
    return JSON.parse(utf8.decode(answer.body));
  };
  const failureOf = (call: number): Failure => {
    const answer = answerOf(call);
    assert.ok(!answer.ok);
    return answer.failure;
  };
  const reason = (call: number): string => failureOf(call).reason;
  const message = (call: number): string => failureOf(call).message;
  return { answerOf, failureOf, value, reason, message };
}

class Heard {
  readonly said: TurnMessage[] = [];
  readonly asks: AskMessage[] = [];
  readonly checks: CheckMessage[] = [];
  readonly steps: (StepMessage | StepDoneMessage)[] = [];
  /** After which turn, and how many pages came before. */
  readonly cuts: [number, number][] = [];
  readonly logged: string[] = [];
  readonly facts: object[] = [];
  #pages = 0;

  readonly say = (message: SessionMessage): void => {
    if (message.type === "cut_page") this.#pages += 1;
    else if (message.type === "cut") this.cuts.push([message.after, this.#pages]);
    else if (message.type === "ask") this.asks.push(message);
    else if (message.type === "check") this.checks.push(message);
    else if (message.type === "step" || message.type === "step_done") this.steps.push(message);
    else if ("answer" in message || message.type === "dropped") this.said.push(message);
  };
  readonly log: ActivationOptions["log"] = {
    say: (level, message, more) => {
      this.logged.push(message);
      this.facts.push({ level, ...more });
    },
    print: (_, message) => void this.logged.push(message),
    settle: () => undefined,
  };
}

interface RunParts {
  readonly content?: Content;
  readonly body?: Uint8Array;
  readonly deadlineMs?: number;
  readonly readonly?: boolean;
  readonly chain?: readonly string[];
  readonly id?: CallId;
}

function createRunner(activation: WorkerActivation) {
  let next = 0;
  /** @returns the call's number */
  return (method: string, input?: unknown, more: RunParts = {}): number => {
    next += 1;
    const json = input === undefined ? new Uint8Array(0) : new TextEncoder().encode(JSON.stringify(input));
    const readonly = more.readonly ?? ["get", "slowGet", "never"].includes(method);
    const deadlineMs = more.deadlineMs ?? systemClock.monotonicMs() + 60_000;
    const { content = "json", body = json, chain = [], id } = more;
    activation.run(
      plainCall(next, deadlineMs, { head: { readonly, id }, method, content, body, chain, caller: "me" }),
    );
    return next;
  };
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await loopTick();
}

/** Session `k` of the agent, with nothing in its state; `more` has handlers of its own. */
/** `waitingBytes`: of what the thread has said and nobody has taken. */
export function activationRig(more?: AnyAgent, waitingBytes: () => number = () => 0) {
  const held = gate();
  const seen: unknown[] = [];
  const probe = probeAgent(held, seen);
  const schema: Schema = { count: { kind: "counter" }, name: { kind: "register", initial: "none" } };
  const state: SessionState = openState(schema, { crc32 });
  const { counting, views } = countViews(state);
  const table = createBegunTable();
  const broken: unknown[] = [];
  const { said, asks, checks, steps, cuts, logged, facts, log, say } = new Heard();
  const write = (message: SessionMessage): void => {
    fromWorker.encode(message);
    say(message);
  };
  const activation = new WorkerActivation({
    number: 7,
    logName: "the log of node n1",
    name: { namespace: "default", agent: "probe", key: "k" },
    epoch: 1,
    state: counting,
    isReleased: false,
    handlers: handlersOf(more ?? probe),
    workflows: workflowsOf(more ?? probe),
    turnMsMax: definitionOf(more ?? probe).turnMsMax,
    log,
    begun: new BegunWriter(table),
    rounds: { enter: ({ startNext }) => startNext(systemClock.monotonicMs()) },
    world: threadWorld,
    say: write,
    waitingBytes,
    broken: (error) => broken.push(error),
  });
  return {
    activation,
    held,
    seen,
    state,
    broken,
    said,
    asks,
    checks,
    steps,
    cuts,
    logged,
    facts,
    run: createRunner(activation),
    ...readAnswers(said),
    views,
    hasBegun: (call: number) => readBegun(table).has(call),
  };
}

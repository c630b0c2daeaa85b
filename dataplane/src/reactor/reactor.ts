// The sessions of this node: tells each lane what happens, in the order in which it happens. Pure: time,
// chance and the world come in as arguments (`ports.ts`), so that the simulator runs this very code.
import type { Agent } from "@voda/proto/api";
import type { NamedSession, SessionName, SessionToken } from "@voda/proto/session";
import { unknownEffect } from "@voda/proto/wire";
import {
  type Answer,
  type AsideMessage,
  type Call,
  type Failed,
  fail,
  left,
  type OwnMessage,
  type Submit,
  type TimeLimit,
} from "../call/index.ts";
import {
  feedLane,
  isDueSoon,
  isIdle,
  type Lane,
  type LaneEvent,
  type LaneWaits,
  letterQueueMs,
  retryAfterMs,
  waitsOf,
} from "../lane/index.ts";
import { Alone } from "./alone.ts";
import { checkTarget, takeAsk, takeOwn } from "./asks.ts";
import { closing, createCalls, type LiveCall } from "./calls.ts";
import type { Hosted } from "./hosted.ts";
import { callOf, letterRefusal } from "./letters.ts";
import { type Performing, type Posted, performAll } from "./perform.ts";
import type { HostWorld, Owned, Ports, TimerPort, WorkerEvent } from "./ports.ts";
import { Waits } from "./waits.ts";

/** A reader that had begun in so many threads when they ended is not run again: it may be what ends them. */
export const workersLostMax = 3;

export interface ReactorOptions {
  readonly ports: Ports;
  readonly world: HostWorld;
  readonly timers: TimerPort;
  readonly openLane: (name: SessionName) => Lane;
  /** `ip:port` of this node's ingress, for callers. */
  readonly hint: string;
}

/** What was lost with a thread. */
export interface ThreadLoss {
  readonly activations: readonly number[];
  /**
   * Calls whose handlers had begun, the one that held the thread when it went, and, where somebody spoiled
   * it, the one that began last.
   */
  readonly begun: {
    has(call: number): boolean;
    readonly holder: number | undefined;
    readonly last: number | undefined;
  };
  /** The call whose handler held the thread beyond its time, so that it was ended. */
  readonly overdue: number | undefined;
  readonly why: string;
}

export class Reactor {
  readonly #options: ReactorOptions;
  readonly #hosted = new Map<SessionToken, Hosted>();
  readonly #performing: Performing;
  /** Passes at work: one lane's may answer what another one waits for. */
  #passes = 0;
  /** What became of letters meanwhile. */
  readonly #reports: (() => void)[] = [];
  /** Told when nothing is in memory any more; there from the beginning of a drain. */
  #drained: (() => void) | undefined;
  /** What every call is told. */
  #refusal: Failed | undefined;

  constructor(options: ReactorOptions) {
    const { ports, world, timers, hint } = options;
    this.#options = options;
    this.#performing = {
      ports,
      world,
      timers,
      hint,
      calls: createCalls(timers, (call, isLast) => this.#late(call, isLast)),
      waits: new Waits((token) => this.#hosted.get(token)),
      alone: new Alone(timers, (act) => this.#afterPass(act)),
      opened: new Map(),
      owned: new Set(),
      leaving: [],
      posted: [],
      dispatch: (hosted, event) => this.#feed(hosted, event),
      hear: (hosted, event) => this.#hear(hosted, event),
      deliver: (live, unreached) => this.#deliver(live, unreached),
    };
  }

  /** Sessions in memory with a durable claim. */
  get owned(): ReadonlySet<NamedSession & Owned> {
    return this.#performing.owned;
  }

  /** Whether no session is here at all. */
  get isEmpty(): boolean {
    return this.#hosted.size === 0;
  }

  /** Whether the session is open here, or about to be. */
  isHere(token: SessionToken): boolean {
    return this.#hosted.get(token)?.activation !== undefined;
  }

  epochOf(token: SessionToken): number {
    return this.#hosted.get(token)?.epoch ?? 0;
  }

  /**
   * The answer comes exactly once, by the deadline; of an order it has an empty body. From here on the
   * deadline is watched, and nowhere else.
   */
  readonly submit: Submit = (call, reply) => {
    const isOpen = this.#drained === undefined;
    const refusal = this.#refusal ?? (isOpen ? queueFull(this.#hosted.get(call.token)) : closing());
    if (refusal !== undefined) {
      reply(refusal, {});
      return () => undefined;
    }
    const live = this.#performing.calls.add(call, reply);
    if (live === undefined) return () => undefined;
    if (call.grant === undefined) this.#deliver(live);
    else this.#check(live, call.grant);
    return (why) => this.#abandon(live, why);
  };

  /** Something that every lane must know before anything else happens. */
  dispatchAll(event: LaneEvent): void {
    for (const hosted of this.#hosted.values()) this.#feed(hosted, event);
  }

  /**
   * Calls that had not begun are no concern of the thread's end: they run in the next one, and nothing is
   * counted against them.
   */
  workerLost({ activations, begun, overdue, why }: ThreadLoss): void {
    for (const [hosted, live] of this.#handed(activations)) {
      const { number } = live.call.head;
      if (!begun.has(number)) continue;
      this.#options.ports.callers.threadEnded(live.call, why);
      live.workersLost += 1;
      if (overdue === number) this.#giveUp(hosted, live, heldTooLong(hosted, live.call));
      else if (begun.holder === number)
        this.#giveUp(
          hosted,
          live,
          fail("internal", `the handler ended its thread: ${why}`, { by: "thread" }),
        );
      else if (live.workersLost >= workersLostMax)
        this.#giveUp(
          hosted,
          live,
          fail("internal", `${workersLostMax} threads ended under the call: ${why}`, { by: "thread" }),
        );
      // a message that does it again and again must come to an end, and one that did not goes again
      else if (begun.last === number && !live.call.head.readonly)
        this.#giveUp(hosted, live, perhapsSpoiled(why));
    }
    for (const activation of activations) {
      const hosted = this.#performing.opened.get(activation);
      if (hosted !== undefined) this.#feed(hosted, { type: "worker_lost", activation, begun });
    }
  }

  /**
   * How long the handler of the call may hold its thread. `undefined` when it is not answered by this node.
   */
  holdLimit(number: number): TimeLimit | undefined {
    const live = this.#performing.calls.get(number);
    const hosted = live?.isHanded === true ? this.#hosted.get(live.call.token) : undefined;
    return hosted && live && turnLimitOf(hosted, live.call);
  }

  /** Whether no call was here for so long, nor is one now. */
  hasRested(token: SessionToken, forMs: number): boolean {
    const hosted = this.#hosted.get(token);
    if (hosted === undefined) return true;
    return hosted.calls === 0 && this.#options.timers.nowMs() - hosted.usedMs >= forMs;
  }

  /** What the session waits for, and whose it is; `undefined`: it is not in memory here. */
  describe(token: SessionToken): { readonly agent: Agent; readonly waits: LaneWaits } | undefined {
    const hosted = this.#hosted.get(token);
    const waits = hosted && waitsOf(hosted.lane);
    return hosted && waits && { agent: hosted.agent, waits };
  }

  /** Resolves when the session is out of memory; at once when it is not in it. */
  sleep(token: SessionToken): Promise<void> {
    const hosted = this.#hosted.get(token);
    if (hosted === undefined) return Promise.resolve();
    if (hosted.activation === undefined) {
      this.#feed(hosted, { type: "sleep" }); // it keeps its place no longer
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      hosted.onCold.push(resolve);
      this.#feed(hosted, { type: "sleep" });
    });
  }

  /** Puts those sessions to sleep that do not run under the current revision: they wake under it. */
  async retire(activations: Iterable<number>): Promise<void> {
    const { worker } = this.#options.ports;
    const old = [...activations].filter((activation) => !worker.isCurrent(activation));
    const tokens = old.flatMap((activation) => this.#performing.opened.get(activation)?.token ?? []);
    await Promise.all(tokens.map((token) => this.sleep(token)));
  }

  /** Puts sessions to sleep that were idle for long enough; during a drain, all that have no call. */
  sleepIdle(): void {
    const nowMs = this.#options.timers.nowMs();
    for (const hosted of this.#hosted.values()) {
      // with letters it would be woken again
      const isIdleNow =
        this.#drained !== undefined ||
        (nowMs - hosted.usedMs >= hosted.agent.idleMs &&
          !isDueSoon(hosted.lane, this.#options.world.storeMs));
      if (hosted.calls === 0 && isIdleNow) this.#feed(hosted, { type: "sleep" });
    }
  }

  /** Lets the calls end that are here and puts every session to sleep. No more calls may come. */
  drain(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#drained = resolve;
    this.sleepIdle();
    if (this.isEmpty) resolve();
    return promise;
  }

  /** Answers every call that is left. */
  close(): void {
    this.#performing.calls.close();
  }

  /** Calls that wait are told so, and all that come from now on. */
  refuseAll(refusal: Failed): void {
    this.#refusal = refusal;
    const { calls } = this.#performing;
    for (const live of calls.all()) {
      const hosted = live.stage === "here" ? this.#hosted.get(live.call.token) : undefined;
      if (hosted === undefined) calls.answer(live.call.head.number, refusal);
      else this.#giveUp(hosted, live, refusal); // its lane must not wake a session for nobody
    }
  }

  #hear(hosted: Hosted, event: WorkerEvent | AsideMessage): void {
    if (event.type === "check") checkTarget(this.#performing, hosted, event);
    else if (event.type === "own") this.#own(hosted, event);
    else if (event.type === "ask") takeAsk(this.#performing, hosted, event, this.#options.world.unique());
    else this.#feed(hosted, event);
  }

  #own(hosted: Hosted, event: OwnMessage): void {
    const { ports, world, timers } = this.#options;
    if (this.#drained !== undefined) return ports.worker.answerAsk(event.activation, event.askId, closing());
    const deadlineMs = timers.nowMs() + turnLimitOf(hosted, event).ms + letterQueueMs;
    takeOwn(this.#performing, hosted, event, { number: world.unique(), deadlineMs });
  }

  #check(live: LiveCall, grant: string): void {
    const { calls } = this.#performing;
    const { number } = live.call.head;
    this.#options.ports.callers.check(live.call, grant, (checked) => {
      if (calls.get(number) === undefined) return; // nobody waits any more
      if ("failure" in checked) {
        calls.answer(number, checked);
      } else {
        live.call = checked;
        this.#deliver(live);
      }
    });
  }

  #host({ name, token }: Call): Hosted | Failed {
    const { ports, timers, openLane } = this.#options;
    const agent = ports.worker.agentOf(name);
    if ("failure" in agent) return agent;
    const hosted: Hosted = {
      token,
      name,
      agent,
      lane: openLane(name),
      granted: undefined,
      devices: [],
      activation: undefined,
      epoch: 0,
      calls: 0,
      usedMs: timers.nowMs(),
      timers: new Map(),
      onCold: [],
      life: undefined,
    };
    this.#hosted.set(token, hosted);
    return hosted;
  }

  #deliver(live: LiveCall, unreached?: string): void {
    const { head, token, devices } = live.call;
    const hosted = this.#hosted.get(token) ?? this.#host(live.call);
    if ("failure" in hosted) {
      this.#performing.calls.answer(head.number, hosted);
      return;
    }
    live.stage = "here";
    hosted.calls += 1;
    hosted.granted = devices ?? hosted.granted;
    if (unreached !== undefined)
      this.#feed(hosted, { type: "undelivered", call: head, incarnation: unreached });
    else this.#feed(hosted, { type: head.type === "invoke" ? "invoke" : "control", call: head });
    hosted.usedMs = this.#options.world.monotonicMs;
  }

  /** Calls of these activations that a worker has, or had. */
  *#handed(activations: Iterable<number>): Iterable<[Hosted, LiveCall]> {
    const all = [...activations].flatMap((activation) => this.#performing.opened.get(activation) ?? []);
    const sessions = new Map(all.map((hosted) => [hosted.token, hosted]));
    for (const live of this.#performing.calls.all()) {
      const hosted = sessions.get(live.call.token);
      if (hosted !== undefined && live.isHanded) yield [hosted, live];
    }
  }

  #giveUp(hosted: Hosted, { call }: LiveCall, answer: Failed): void {
    const { number } = call.head;
    this.#performing.calls.answer(number, answer);
    this.#feed(hosted, { type: "abandon", call: number, why: "deadline" });
  }

  /** Another node watches the deadline of what was passed to it, and knows better what became of it. */
  #late(live: LiveCall, isLast: boolean): void {
    if (isLast || live.stage !== "away") this.#abandon(live, "deadline");
  }

  /** At a deadline, what is not answered here is answered by whoever watches it. */
  #abandon({ call, stage, takeBack }: LiveCall, why: "deadline" | "caller"): void {
    const { calls } = this.#performing;
    const { number } = call.head;
    if (calls.get(number) === undefined) return;
    if (stage === "here") {
      const hosted = this.#hosted.get(call.token);
      if (hosted !== undefined) this.#feed(hosted, { type: "abandon", call: number, why });
      return;
    }
    takeBack?.(why);
    if (stage === "checking") calls.answer(number, { ok: false, failure: left(why, "none") });
    else if (why === "caller") calls.answer(number, fail("interrupted", "the caller went away"));
  }

  /**
   * What the lane wants done is done before anything else happens; only then it hears of an opening that was
   * refused.
   */
  #feed(hosted: Hosted, event: LaneEvent): void {
    const { world } = this.#options;
    this.#passes += 1;
    try {
      world.refresh();
      const refused = performAll(this.#performing, hosted, feedLane(hosted.lane, event, world));
      if (refused === undefined) {
        this.#letAsksGo();
        this.#letLettersGo();
        this.#forgetIdle(hosted);
      } else {
        this.#feed(hosted, refused);
      }
    } finally {
      this.#passes -= 1; // also of a thread that says what cannot be: the node goes on
    }
    if (this.#passes > 0) return;
    for (let report = this.#reports.shift(); report !== undefined; report = this.#reports.shift()) report();
  }

  #afterPass(act: () => void): void {
    if (this.#passes > 0) this.#reports.push(act);
    else act();
  }

  #forgetIdle(hosted: Hosted): void {
    if (!isIdle(hosted.lane) || this.#hosted.get(hosted.token) !== hosted) return;
    this.#hosted.delete(hosted.token);
    hosted.timers.clear();
    if (this.isEmpty) this.#drained?.();
  }

  /** To sessions here, or, by their lanes, on other nodes. */
  #letAsksGo(): void {
    const { leaving, calls } = this.#performing;
    for (let live = leaving.shift(); live !== undefined; live = leaving.shift()) {
      const refusal = queueFull(this.#hosted.get(live.call.token));
      if (refusal === undefined) this.#deliver(live);
      else calls.answer(live.call.head.number, refusal);
    }
  }

  #letLettersGo(): void {
    const { posted } = this.#performing;
    for (let one = posted.shift(); one !== undefined; one = posted.shift()) this.#post(one);
  }

  /** As a call like any other; what becomes of it is told once, after the pass that it came to an end in. */
  #post({ activation, source, letter, isGivenUp, isSuspect, from }: Posted): void {
    const { ports, world, timers } = this.#options;
    const { namespace, agent: sender, key } = from.name;
    const name = { namespace, agent: letter.agent, key: letter.key };
    const agent = ports.worker.askedAgentOf(name);
    const nowMs = timers.nowMs();
    const limitMs = "failure" in agent ? 0 : turnLimitOf({ agent }, letter).ms;
    const untilMs = nowMs + limitMs + letterQueueMs;
    const report = (answer: Answer, isNobodyThere = false): void => {
      const failure = answer.ok ? undefined : answer.failure;
      const told = (): void => {
        const hosted = this.#hosted.get(from.token);
        const event = { type: "delivered", activation, n: letter.n, failure, isNobodyThere } as const;
        if (hosted !== undefined) this.#feed(hosted, event);
      };
      this.#afterPass(told);
    };
    if (this.#drained !== undefined) return report(closing());
    if ("failure" in agent) return report(agent, agent.failure.reason === "agent_not_found");
    const refusal = isGivenUp ? undefined : letterRefusal(agent, letter.method);
    if (refusal !== undefined) return report(refusal);
    const number = world.unique();
    const what = { letter, isGivenUp, isSuspect, name, source, sender: `${sender}/${key}` };
    const call = callOf(what, number, untilMs);
    const full = queueFull(this.#hosted.get(call.token));
    if (full !== undefined) return report(full);
    const live = this.#performing.calls.add(call, (answer) => report(answer));
    if (live !== undefined) this.#deliver(live);
  }
}

function turnLimitOf({ agent }: Pick<Hosted, "agent">, { method }: Pick<Call, "method">): TimeLimit {
  const own = agent.methods.find(({ name }) => name === method)?.turnMsMax ?? 0;
  return own > 0 ? { ms: own, name: "the handler's timeout" } : { ms: agent.turnMsMax, name: "maxTurn" };
}

function heldTooLong(hosted: Hosted, call: Call): Failed {
  const { ms, name } = turnLimitOf(hosted, call);
  return fail("turn_timeout", `the handler held its thread for longer than ${name} ${ms} ms`, {
    by: "thread",
  });
}

function perhapsSpoiled(why: string): Failed {
  const words = "whether the call took effect is unknown: call again under the same idempotency key";
  return fail("worker_lost", `the thread of the agent ended under the call: ${why}; ${words}`, {
    by: "thread",
    metadata: unknownEffect,
  });
}

function queueFull(hosted: Hosted | undefined): Failed | undefined {
  if (hosted === undefined || hosted.calls <= hosted.agent.queueMax) return undefined;
  const { calls, agent } = hosted;
  return fail(
    "queue_full",
    `${calls} calls wait for this session; maxQueue of agent ${agent.name} is ${agent.queueMax}`,
    { retryAfterMs },
  );
}

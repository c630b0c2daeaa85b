// The sessions of this node: tells each lane what happens, and does what it wants done.
import { crc32 } from "node:zlib";
import type { DeviceShare } from "@voda/proto/grant";
import { type SessionName, type SessionToken, sessionToken } from "@voda/proto/session";
import { laneSubjects } from "@voda/proto/wire";
import { unreachable } from "@voda/stdx";
import type { Logger } from "pino";
import {
  type AbandonReason,
  type Answer,
  anonymous,
  type Call,
  type CallType,
  type Failed,
  fail,
  type Reply,
} from "../call/index.ts";
import type { Activated, Reports } from "../controls/index.ts";
import {
  isIdle,
  type LaneEffect,
  type LaneEvent,
  type LaneTimer,
  openLane,
  stepLane,
  trimDelayMs,
} from "../lane/index.ts";
import { pageHash } from "../store/index.ts";
import type { Loss, SessionMessage } from "../threads/index.ts";
import { type CallParts, performOnCall } from "./call-effects.ts";
import { type Calls, createCalls, type LiveCall } from "./calls.ts";
import type { Hosted } from "./hosted.ts";
import { performOnStore, type StoreParts } from "./store-effects.ts";
import { createTicks, type Ticks } from "./ticks.ts";
import { performOnWorker, type WorkerParts } from "./worker-effects.ts";
import { createWorld, type NodeWorld } from "./world.ts";

/** A lane's timer rings two of these late at most. */
export const timerTickMs = 25;
export const idleSweepMs = 250;
/** A reader that had begun in so many threads when they ended is not run again: it may be what ends them. */
export const workersLostMax = 3;

export interface SessionsOptions extends StoreParts, WorkerParts, CallParts {
  readonly reports: Reports;
  readonly log: Logger;
  readonly numbers: () => number;
  /** Whether the store may lose its unsynced tail: trims lag then. */
  readonly isSynced: boolean;
  readonly isConnected: () => boolean;
}

interface Alarm {
  readonly hosted: Hosted;
  readonly timer: LaneTimer;
}

export class Sessions implements Disposable {
  readonly #options: SessionsOptions;
  readonly #hosted = new Map<SessionToken, Hosted>();
  readonly #byActivation = new Map<number, Hosted>();
  readonly #calls: Calls;
  readonly #world: NodeWorld;
  readonly #alarms: Ticks<Alarm>;
  readonly #idleSweep: NodeJS.Timeout;
  readonly #onWorker: Parameters<typeof performOnWorker>[0];
  readonly #onCall: Parameters<typeof performOnCall>[0];
  #owned = 0;
  /** Told when nothing is in memory any more; there from the beginning of a drain. */
  #drained: (() => void) | undefined;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#calls = createCalls(options.clock, (call) => this.#abandon(call, "deadline"));
    this.#world = createWorld(options.clock, options.membership);
    const nowMs = (): number => options.clock.monotonicMs();
    this.#alarms = createTicks({ nowMs, tickMs: timerTickMs, onDue: (alarm) => this.#ring(alarm) });
    this.#idleSweep = setInterval(() => this.#sleepIdle(), idleSweepMs);
    this.#onWorker = { ...options, calls: this.#calls, byActivation: this.#byActivation };
    this.#onCall = { ...options, calls: this.#calls, deliver: (...delivered) => this.#deliver(...delivered) };
  }

  /** Sessions in memory with a durable claim. */
  *owned(): Iterable<Activated> {
    for (const hosted of this.#hosted.values()) if (hosted.epoch > 0) yield hosted;
  }

  get ownedCount(): number {
    return this.#owned;
  }

  epochOf(token: SessionToken): number {
    return this.#hosted.get(token)?.epoch ?? 0;
  }

  /** The answer comes exactly once; of an order it has an empty body. The returned function takes the call back. */
  enter(call: Call, reply: Reply): (why: AbandonReason) => void {
    const refusal = queueFull(this.#hosted.get(call.token));
    const live = refusal === undefined ? this.#calls.add(call, reply) : undefined;
    if (refusal !== undefined) reply(refusal, {});
    if (live === undefined) return () => undefined;
    this.#deliver(live);
    return (why) => this.#abandon(live, why);
  }

  /** Something that every lane must know before anything else happens. */
  tellAll(event: LaneEvent): void {
    for (const hosted of this.#hosted.values()) this.#step(hosted, event);
  }

  fromWorker(message: SessionMessage): void {
    const hosted = this.#byActivation.get(message.activation);
    if (hosted === undefined) return; // memory that was dropped meanwhile
    if (message.type === "cut_page") {
      hosted.cutPages.push(message.bytes);
    } else if (message.type === "cut") {
      const pages = hosted.cutPages.map((bytes) => ({ bytes, hash: pageHash(bytes) }));
      hosted.cutPages = [];
      this.#step(hosted, { ...message, pages });
    } else {
      this.#step(hosted, message);
    }
  }

  /**
   * Calls that had not begun are no concern of the thread's end: they run in the next one, and nothing is
   * counted against them.
   */
  workerLost({ activations, begun, why }: Loss): void {
    for (const [hosted, live] of this.#handed(activations)) {
      const { head, method, name } = live.call;
      if (!begun.has(head.number)) continue;
      const { agent, key } = name;
      this.#options.log.error(
        { agent, key, method, call: head.number },
        `the thread ended under the call: ${why}`,
      );
      live.workersLost += 1;
      if (begun.holder === head.number)
        this.#giveUp(hosted, live, fail("internal", `the handler ended its thread: ${why}`));
      else if (live.workersLost >= workersLostMax)
        this.#giveUp(
          hosted,
          live,
          fail("internal", `${workersLostMax} threads ended under the call: ${why}`),
        );
    }
    for (const activation of activations) {
      const hosted = this.#byActivation.get(activation);
      if (hosted !== undefined) this.#step(hosted, { type: "worker_lost", activation, begun });
    }
  }

  /**
   * Fails the call that holds its thread once it has done so beyond its maxTurn. `undefined` when it is not
   * answered by this node.
   */
  isOverdue(number: number): boolean | undefined {
    const live = this.#calls.get(number);
    const hosted = live && this.#hosted.get(live.call.token);
    if (live?.handedMs === undefined || hosted === undefined) return undefined;
    const { turnMsMax } = hosted.agent;
    if (this.#options.clock.monotonicMs() - live.handedMs < turnMsMax) return false;
    const message = `the handler held its thread for longer than maxTurn ${turnMsMax} ms`;
    this.#giveUp(hosted, live, fail("turn_timeout", message));
    return true;
  }

  /** Whether no call was here for so long, nor is one now. */
  hasRested(token: SessionToken, forMs: number): boolean {
    const hosted = this.#hosted.get(token);
    if (hosted === undefined) return true;
    return hosted.calls === 0 && this.#options.clock.monotonicMs() - hosted.usedMs >= forMs;
  }

  /** Resolves when the session is out of memory; at once when it is not in it. */
  sleep(token: SessionToken): Promise<void> {
    const hosted = this.#hosted.get(token);
    if (hosted?.worker === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      hosted.onCold.push(resolve);
      this.#step(hosted, { type: "sleep" });
    });
  }

  /** Puts those sessions to sleep that do not run under the current revision: they wake under it. */
  async retire(activations: Iterable<number>): Promise<void> {
    const hosted = [...activations].flatMap((activation) => this.#byActivation.get(activation) ?? []);
    const old = hosted.filter(({ name, worker }) => worker !== this.#options.workers.of(name)?.worker);
    await Promise.all(old.map(({ token }) => this.sleep(token)));
  }

  /** Lets the calls end that are here and puts every session to sleep. No more calls may come. */
  drain(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#drained = resolve;
    this.#sleepIdle();
    if (this.#hosted.size === 0) resolve();
    return promise;
  }

  order(
    type: Exclude<CallType, "invoke">,
    name: SessionName,
    deadlineMs: number,
    granted?: { readonly grant: string; readonly devices: readonly DeviceShare[] },
  ): Promise<Answer> {
    const call: Call = {
      head: {
        number: this.#options.numbers(),
        type,
        readonly: false,
        deadlineMs,
        id: undefined,
        hops: 0,
        bytes: 0,
      },
      name,
      token: sessionToken(name),
      method: "",
      content: "json",
      body: new Uint8Array(0),
      caller: anonymous,
      traceparent: undefined,
      grant: granted?.grant,
      devices: granted?.devices,
    };
    return new Promise((resolve) => void this.enter(call, resolve));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#idleSweep);
    this.#alarms[Symbol.dispose]();
    this.#calls[Symbol.dispose]();
  }

  #host({ name, token }: Call): Hosted | Failed {
    const { workers, clock, isSynced } = this.#options;
    const agent = workers.of(name)?.agent;
    if (agent === undefined) return workers.refusalOf(name);
    const lane = openLane({
      name,
      crc32,
      hash: pageHash,
      trimDelayMs: isSynced ? 0 : trimDelayMs,
      connected: this.#options.isConnected(),
    });
    const hosted: Hosted = {
      token,
      name,
      agent,
      lane,
      granted: undefined,
      devices: [],
      worker: undefined,
      refused: undefined,
      epoch: 0,
      cutPages: [],
      calls: 0,
      usedMs: clock.monotonicMs(),
      timers: new Map(),
      onCold: [],
      life: undefined,
      subjects: laneSubjects(token),
      tell: (event) => this.#step(hosted, event),
    };
    this.#hosted.set(token, hosted);
    return hosted;
  }

  /** `unreached`: the node that did not get it. */
  #deliver({ call }: LiveCall, unreached?: string): void {
    const hosted = this.#hosted.get(call.token) ?? this.#host(call);
    if ("ok" in hosted) {
      this.#calls.answer(call.head.number, hosted);
      return;
    }
    hosted.calls += 1;
    hosted.usedMs = this.#options.clock.monotonicMs();
    hosted.granted = call.devices ?? hosted.granted;
    if (unreached !== undefined)
      this.#step(hosted, { type: "undelivered", call: call.head, incarnation: unreached });
    else this.#step(hosted, { type: call.head.type === "invoke" ? "invoke" : "control", call: call.head });
  }

  /** Calls of these activations that a worker has, or had. */
  *#handed(activations: Iterable<number>): Iterable<[Hosted, LiveCall]> {
    const all = [...activations].flatMap((activation) => this.#byActivation.get(activation) ?? []);
    const sessions = new Map(all.map((hosted) => [hosted.token, hosted]));
    for (const live of this.#calls.all()) {
      const hosted = sessions.get(live.call.token);
      if (hosted !== undefined && live.handedMs !== undefined) yield [hosted, live];
    }
  }

  #giveUp(hosted: Hosted, { call }: LiveCall, answer: Failed): void {
    const { number } = call.head;
    this.#calls.answer(number, answer);
    this.#step(hosted, { type: "abandon", call: number, why: "deadline" });
  }

  #abandon(live: LiveCall, why: AbandonReason): void {
    const { number } = live.call.head;
    if (live.takeBack !== undefined) {
      live.takeBack(why);
      if (why === "caller") this.#calls.answer(number, fail("interrupted", "the caller went away"));
      return;
    }
    const hosted = this.#hosted.get(live.call.token);
    if (hosted !== undefined) this.#step(hosted, { type: "abandon", call: number, why });
  }

  #step(hosted: Hosted, event: LaneEvent): void {
    this.#world.refresh();
    for (const effect of stepLane(hosted.lane, event, this.#world)) this.#perform(hosted, effect);
    const { refused } = hosted;
    if (refused !== undefined) {
      hosted.refused = undefined;
      this.#step(hosted, { type: "open_failed", ...refused });
      return;
    }
    if (!isIdle(hosted.lane) || this.#hosted.get(hosted.token) !== hosted) return;
    this.#hosted.delete(hosted.token);
    hosted.timers.clear();
    if (this.#hosted.size === 0) this.#drained?.();
  }

  #perform(hosted: Hosted, effect: LaneEffect): void {
    switch (effect.type) {
      case "open":
      case "run":
      case "identify":
      case "cancel":
      case "cut":
      case "close":
        performOnWorker(this.#onWorker, hosted, effect);
        return;
      case "reply":
      case "fail":
      case "done":
      case "forward":
        performOnCall(this.#onCall, hosted, effect);
        return;
      case "timer":
        hosted.timers.set(effect.timer, effect.atMs);
        this.#alarms.add(effect.atMs, { hosted, timer: effect.timer });
        return;
      case "owned":
        if (hosted.epoch === 0) this.#owned += 1;
        hosted.epoch = effect.epoch;
        this.#options.reports.activated(hosted);
        if (effect.born) this.#writeName(hosted);
        return;
      case "cold":
        if (hosted.epoch > 0) {
          this.#owned -= 1;
          this.#options.reports.deactivated(hosted.token);
        }
        hosted.epoch = 0;
        for (const resolve of hosted.onCold.splice(0)) resolve();
        return;
      case "alarm":
        this.#options.log.error({ alarm: effect.alarm, session: hosted.name }, effect.message);
        return;
      case "append":
        if (hosted.refused !== undefined) return; // no claim for what is not opened here; an append may always get lost
        performOnStore(this.#options, hosted, effect);
        return;
      case "readLast":
      case "readRange":
      case "readTraces":
      case "readPages":
      case "writePages":
      case "trim":
      case "trimAsleep":
      case "deletePages":
        performOnStore(this.#options, hosted, effect);
        return;
      default:
        unreachable(effect);
    }
  }

  #writeName(hosted: Hosted): void {
    this.#options.store.publishName(hosted.token, hosted.name).catch((err: unknown) => {
      this.#options.log.warn(
        { err, session: hosted.name },
        "name record not written; the session is missing in lists until it wakes again",
      );
    });
  }

  /** One that was set to another time since says nothing. */
  #ring({ hosted, timer }: Alarm): void {
    const atMs = hosted.timers.get(timer);
    if (atMs === undefined || atMs > this.#options.clock.monotonicMs()) return;
    hosted.timers.delete(timer);
    this.#step(hosted, { type: "timer", timer });
  }

  #sleepIdle(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const hosted of this.#hosted.values()) {
      const isIdleNow = this.#drained !== undefined || nowMs - hosted.usedMs >= hosted.agent.idleMs;
      if (hosted.calls === 0 && isIdleNow) this.#step(hosted, { type: "sleep" });
    }
  }
}

function queueFull(hosted: Hosted | undefined): Failed | undefined {
  if (hosted === undefined || hosted.calls <= hosted.agent.queueMax) return undefined;
  const { calls, agent } = hosted;
  return fail(
    "queue_full",
    `${calls} calls wait for this session; maxQueue of agent ${agent.name} is ${agent.queueMax}`,
    {
      retryAfterMs: 100,
    },
  );
}

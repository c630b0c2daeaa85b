// The sessions of this node: tells each lane what happens, and does what it wants done.
import { crc32 } from "node:zlib";
import { type SessionName, type SessionToken, sessionToken } from "@voda/proto/session";
import { type Clock, unreachable } from "@voda/stdx";
import type { Logger } from "pino";
import { decodeAnswer } from "../answer.ts";
import type { Bus } from "../bus/index.ts";
import { type Device, deviceEnvironment } from "../devices/index.ts";
import { type Answer, type Failed, fail, type Invocation } from "../invocation.ts";
import { type CallKind, isIdle, type LaneEffect, type LaneEvent, openLane, stepLane, trimDelayMs } from "../lane/index.ts";
import type { Membership } from "../membership/index.ts";
import { pageHash } from "../store/index.ts";
import type { Admission } from "./admission.ts";
import { type Calls, createCalls, type LiveCall, type Reply } from "./calls.ts";
import { forward } from "./forward.ts";
import type { Hosted } from "./hosted.ts";
import type { FromWorker } from "./messages.ts";
import type { Activated, Reports } from "./reports.ts";
import { performOnStore, type StoreParts } from "./store-effects.ts";
import type { Workers } from "./workers.ts";
import { createWorld, type NodeWorld } from "./world.ts";

/** How late a lane's timer may ring. */
export const timerTickMs = 25;
export const idleSweepMs = 250;
/** A call that was in so many workers when they ended is not run again: it may be what ends them. */
export const workersLostMax = 3;

export interface SessionsOptions extends StoreParts {
  readonly membership: Membership;
  readonly bus: Bus;
  readonly workers: Workers;
  readonly reports: Reports;
  readonly admission: Admission;
  /** The GPUs of this node. */
  readonly devices: readonly Device[];
  readonly clock: Clock;
  readonly log: Logger;
  /** `ip:port` of this node's ingress. */
  readonly hint: string;
  /** Whether the store may lose its unsynced tail: trims lag then. */
  readonly isSynced: boolean;
  readonly isConnected: () => boolean;
}

type WorkerEffect = Extract<LaneEffect, { type: "open" | "run" | "cancel" | "cut" | "close" }>;
type CallEffect = Extract<LaneEffect, { type: "reply" | "fail" | "done" | "forward" }>;

export class Sessions implements Disposable {
  readonly #options: SessionsOptions;
  readonly #hosted = new Map<SessionToken, Hosted>();
  readonly #byActivation = new Map<number, Hosted>();
  readonly #timed = new Set<Hosted>();
  readonly #calls: Calls;
  readonly #world: NodeWorld;
  readonly #intervals: readonly NodeJS.Timeout[];
  #owned = 0;
  /** Told when nothing is in memory any more; there from the beginning of a drain. */
  #drained: (() => void) | undefined;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#calls = createCalls(options.clock, (call) => this.#abandon(call, "deadline"));
    this.#world = createWorld(options.clock, options.membership);
    this.#intervals = [setInterval(() => this.#ring(), timerTickMs), setInterval(() => this.#sleepIdle(), idleSweepMs)];
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
  enter(kind: CallKind, invocation: Invocation, reply: Reply): () => void {
    const refusal = queueFull(this.#hosted.get(invocation.token));
    const call = refusal === undefined ? this.#calls.add(invocation, reply) : undefined;
    if (refusal !== undefined) reply(refusal, {});
    if (call === undefined) return () => undefined;
    this.#deliver(call, kind);
    return () => this.#abandon(call, "caller");
  }

  /** Something that every lane must know before anything else happens. */
  tellAll(event: LaneEvent): void {
    for (const hosted of this.#hosted.values()) this.#step(hosted, event);
  }

  fromWorker(message: Exclude<FromWorker, { type: "log" }>): void {
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

  workerLost(activations: readonly number[]): void {
    for (const [hosted, call] of this.#handed(activations)) {
      call.workersLost += 1;
      const message = `${workersLostMax} workers ended while they had the call; the node's log says why`;
      if (call.workersLost >= workersLostMax) this.#giveUp(hosted, call, fail("internal", message));
    }
    for (const activation of activations) {
      const hosted = this.#byActivation.get(activation);
      if (hosted !== undefined) this.#step(hosted, { type: "worker_lost", activation });
    }
  }

  /** Fails the calls of these activations that their worker has had for longer than maxTurn; how many there were. */
  failOverdue(activations: ReadonlySet<number>): number {
    const nowMs = this.#options.clock.monotonicMs();
    let failed = 0;
    for (const [hosted, call] of this.#handed(activations)) {
      const { turnMsMax } = hosted.agent;
      if (nowMs - (call.handedMs ?? nowMs) < turnMsMax) continue;
      this.#giveUp(hosted, call, fail("turn_timeout", `the handler held its thread for longer than maxTurn ${turnMsMax} ms`));
      failed += 1;
    }
    return failed;
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
    kind: Exclude<CallKind, "invoke">,
    name: SessionName,
    deadlineMs: number,
    granted?: Required<Pick<Invocation, "grant" | "devices">>,
  ): Promise<Answer> {
    const invocation: Invocation = {
      name,
      token: sessionToken(name),
      method: "",
      readonly: false,
      content: "json",
      body: new Uint8Array(0),
      deadlineMs,
      id: undefined,
      keepMs: 0,
      bodyHash: new Uint8Array(0),
      caller: "control plane",
      traceparent: undefined,
      hops: 0,
      grant: undefined,
      ...granted,
    };
    return new Promise((resolve) => void this.enter(kind, invocation, resolve));
  }

  [Symbol.dispose](): void {
    for (const interval of this.#intervals) clearInterval(interval);
    this.#calls[Symbol.dispose]();
  }

  #host({ name, token }: Invocation): Hosted | Failed {
    const { workers, clock, isSynced } = this.#options;
    const agent = workers.of(name)?.agent;
    if (agent === undefined) return fail("not_owner", `agent ${name.agent} is not deployed on this node yet; retry`);
    const lane = openLane({ name, crc32, trimDelayMs: isSynced ? 0 : trimDelayMs, connected: this.#options.isConnected() });
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
    };
    this.#hosted.set(token, hosted);
    return hosted;
  }

  /** `unreached`: the node that did not get it. */
  #deliver(call: LiveCall, kind: CallKind, unreached?: string): void {
    const { invocation } = call;
    const hosted = this.#hosted.get(invocation.token) ?? this.#host(invocation);
    if ("ok" in hosted) {
      this.#calls.answer(call.number, hosted);
      return;
    }
    hosted.calls += 1;
    hosted.usedMs = this.#options.clock.monotonicMs();
    hosted.granted = invocation.devices ?? hosted.granted;
    const one = laneCall(call);
    if (unreached !== undefined) this.#step(hosted, { type: "undelivered", call: one, kind, incarnation: unreached });
    else if (kind === "invoke") this.#step(hosted, { type: "invoke", call: one });
    else this.#step(hosted, { type: "control", action: kind, call: one });
  }

  /** Calls of these activations that a worker has, or had. */
  *#handed(activations: Iterable<number>): Iterable<[Hosted, LiveCall]> {
    const all = [...activations].flatMap((activation) => this.#byActivation.get(activation) ?? []);
    const sessions = new Map(all.map((hosted) => [hosted.token, hosted]));
    for (const call of this.#calls.all()) {
      const hosted = sessions.get(call.invocation.token);
      if (hosted !== undefined && call.handedMs !== undefined) yield [hosted, call];
    }
  }

  #giveUp(hosted: Hosted, call: LiveCall, answer: Failed): void {
    this.#calls.answer(call.number, answer);
    this.#step(hosted, { type: "abandon", call: call.number, why: "deadline" });
  }

  #abandon(call: LiveCall, why: "deadline" | "caller"): void {
    if (call.takeBack !== undefined) {
      call.takeBack();
      if (why === "caller") this.#calls.answer(call.number, fail("interrupted", "the caller went away"));
      return;
    }
    const hosted = this.#hosted.get(call.invocation.token);
    if (hosted !== undefined) this.#step(hosted, { type: "abandon", call: call.number, why });
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
    this.#timed.delete(hosted);
    if (this.#hosted.size === 0) this.#drained?.();
  }

  #perform(hosted: Hosted, effect: LaneEffect): void {
    switch (effect.type) {
      case "open":
      case "run":
      case "cancel":
      case "cut":
      case "close":
        this.#performOnWorker(hosted, effect);
        return;
      case "reply":
      case "fail":
      case "done":
      case "forward":
        this.#performOnCall(hosted, effect);
        return;
      case "timer":
        hosted.timers.set(effect.timer, effect.atMs);
        this.#timed.add(hosted);
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
        performOnStore(this.#options, hosted, effect, (event) => this.#step(hosted, event));
        return;
      case "readLast":
      case "readRange":
      case "readPages":
      case "writePages":
      case "trim":
      case "deletePages":
        performOnStore(this.#options, hosted, effect, (event) => this.#step(hosted, event));
        return;
      default:
        unreachable(effect);
    }
  }

  #performOnWorker(hosted: Hosted, effect: WorkerEffect): void {
    const { activation } = effect;
    switch (effect.type) {
      case "open":
        this.#open(hosted, effect);
        return;
      case "run": {
        const call = this.#calls.get(effect.job.call);
        if (call === undefined) return; // answered by its deadline; the lane hears of that next
        const { method, content, caller, body } = call.invocation;
        call.handedMs = this.#options.clock.monotonicMs();
        hosted.worker?.send({ type: "run", activation, run: { ...effect.job, method, content, caller, body } });
        return;
      }
      case "cancel":
      case "cut":
        hosted.worker?.send(effect);
        return;
      case "close":
        this.#close(hosted, activation);
        return;
      default:
        unreachable(effect);
    }
  }

  #open(hosted: Hosted, { activation, image, epoch }: Extract<LaneEffect, { type: "open" }>): void {
    const { workers, admission } = this.#options;
    const deployed = workers.of(hosted.name);
    const admitted =
      deployed === undefined
        ? fail("agent_not_found", `agent ${hosted.name.agent} is not deployed any more`)
        : admission.admit(deployed.agent, hosted.granted);
    if (deployed === undefined || "failure" in admitted) {
      if ("failure" in admitted) hosted.refused = { activation, failure: admitted.failure };
      this.#options.reports.deactivated(hosted.token); // or control planes would send it here again
      return;
    }
    const { agent, worker } = deployed;
    this.#byActivation.set(activation, hosted);
    hosted.agent = agent;
    hosted.devices = admitted.devices;
    this.#logDevices(hosted);
    hosted.worker = worker;
    worker.open(activation);
    worker.send({ type: "open", activation, agent: hosted.name.agent, key: hosted.name.key, origin: epoch });
    for (const bytes of image.pages) worker.send({ type: "page", activation, bytes });
    for (const bytes of image.deltas) worker.send({ type: "delta", activation, bytes });
    worker.send({ type: "opened", activation });
  }

  #close(hosted: Hosted, activation: number): void {
    const { worker } = hosted;
    // Calls that still wait may open it again with what it held; nothing else may.
    hosted.granted = worker === undefined ? undefined : hosted.devices;
    hosted.cutPages = [];
    if (worker === undefined) return; // its opening was refused
    this.#byActivation.delete(activation);
    worker.close(activation);
    hosted.worker = undefined;
    this.#options.admission.release(hosted.agent, hosted.devices);
    hosted.devices = [];
  }

  #logDevices({ name, devices }: Hosted): void {
    if (devices.length === 0) return;
    const environment = deviceEnvironment(this.#options.devices, devices);
    this.#options.log.info({ session: name, devices, environment }, "session holds devices");
  }

  #performOnCall(hosted: Hosted, effect: CallEffect): void {
    hosted.calls -= 1;
    hosted.usedMs = this.#options.clock.monotonicMs();
    switch (effect.type) {
      case "reply": {
        const token = `${Buffer.from(effect.uid).toString("base64url")}.${effect.n}`;
        this.#calls.answer(effect.call, decodeAnswer(effect.answer), { hint: this.#options.hint, token });
        return;
      }
      case "fail":
        this.#calls.answer(effect.call, { ok: false, failure: effect.failure });
        return;
      case "done":
        this.#calls.answer(effect.call, { ok: true, content: "json", body: new Uint8Array(0) });
        return;
      case "forward":
        this.#forward(effect);
        return;
      default:
        unreachable(effect);
    }
  }

  #forward({ call: number, kind, incarnation }: Extract<LaneEffect, { type: "forward" }>): void {
    const call = this.#calls.get(number);
    if (call === undefined) return;
    call.takeBack = forward(this.#options, { kind, incarnation }, call.invocation, {
      answered: (answer, meta) => this.#calls.answer(number, answer, meta),
      undelivered: () => this.#again(call, kind, incarnation),
      lost: () => this.#lost(call, kind),
    });
  }

  #again(call: LiveCall, kind: CallKind, unreached?: string): void {
    if (this.#calls.get(call.number) === undefined) return;
    call.takeBack = undefined;
    this.#deliver(call, kind, unreached);
  }

  /** A call with a key joins what ran of it, and a reader changes nothing: they may run again wherever the session is then. */
  #lost(call: LiveCall, kind: CallKind): void {
    const { id, readonly } = call.invocation;
    if (kind === "invoke" && (id !== undefined || readonly)) this.#again(call, kind);
    else
      this.#calls.answer(
        call.number,
        fail("not_owner", "the session's node is gone; whether the call took effect is unknown: it had no idempotency key"),
      );
  }

  #writeName(hosted: Hosted): void {
    this.#options.store.publishName(hosted.token, hosted.name).catch((err: unknown) => {
      this.#options.log.warn(
        { err, session: hosted.name },
        "name record not written; the session is missing in lists until it wakes again",
      );
    });
  }

  #ring(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const hosted of this.#timed) {
      for (const [timer, atMs] of hosted.timers) {
        if (atMs > nowMs) continue;
        hosted.timers.delete(timer);
        this.#step(hosted, { type: "timer", timer });
      }
      if (hosted.timers.size === 0) this.#timed.delete(hosted);
    }
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
  return fail("queue_full", `${calls} calls wait for this session; maxQueue of agent ${agent.name} is ${agent.queueMax}`, {
    retryAfterMs: 100,
  });
}

function laneCall(call: LiveCall): Extract<LaneEvent, { type: "invoke" }>["call"] {
  const { readonly, deadlineMs, id, keepMs, bodyHash, hops, body } = call.invocation;
  return { call: call.number, readonly, deadlineMs, id, keepMs, bodyHash, hops, bytes: body.length };
}

// The sessions of this node: tells each lane what happens, and does what it wants done.
import type { SessionName, SessionToken } from "@voda/proto/session";
import { laneSubjects } from "@voda/proto/wire";
import { type Clock, unreachable } from "@voda/stdx";
import type { Logger } from "pino";
import { decodeAnswer } from "../answer.ts";
import type { Bus } from "../bus/index.ts";
import type { AppendOutcome, Commit } from "../commit/index.ts";
import { fail, type Invocation } from "../invocation.ts";
import { isIdle, type LaneEffect, type LaneEvent, stepLane, tombstoneMs } from "../lane/index.ts";
import type { Membership } from "../membership/index.ts";
import type { Store } from "../store/index.ts";
import { type Calls, createCalls, type LiveCall, type Reply } from "./calls.ts";
import type { Admission } from "./admission.ts";
import { forward } from "./forward.ts";
import { type Hosted, host, pageHash, settle } from "./hosted.ts";
import type { FromWorker } from "./messages.ts";
import type { Reports } from "./reports.ts";
import type { Workers } from "./workers.ts";
import { createWorld } from "./world.ts";

/** How late a lane's timer may ring. */
export const timerTickMs = 25;
export const idleSweepMs = 500;

export interface SessionsOptions {
  readonly commit: Commit;
  readonly store: Store;
  readonly membership: Membership;
  readonly bus: Bus;
  readonly admission: Admission;
  readonly workers: Workers;
  readonly reports: Reports;
  readonly clock: Clock;
  readonly log: Logger;
  /** `ip:port` of this node's ingress. */
  readonly hint: string;
}

export class Sessions implements AsyncDisposable {
  readonly #options: SessionsOptions;
  readonly #hosted = new Map<SessionToken, Hosted>();
  readonly #byActivation = new Map<number, Hosted>();
  readonly #timed = new Set<Hosted>();
  readonly #calls: Calls;
  readonly #world: ReturnType<typeof createWorld>;
  readonly #intervals: readonly NodeJS.Timeout[];

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#calls = createCalls(options.clock, (call) => this.#abandon(call, "deadline"));
    this.#world = createWorld(options.clock, options.membership);
    this.#intervals = [setInterval(() => this.#ring(), timerTickMs), setInterval(() => this.#sleepIdle(), idleSweepMs)];
  }

  /** Sessions in memory with a durable claim. */
  *owned(): Iterable<{ readonly name: SessionName; readonly epoch: number }> {
    for (const hosted of this.#hosted.values()) if (hosted.epoch > 0) yield hosted;
  }

  isHere(token: SessionToken): boolean {
    return this.#hosted.has(token);
  }

  get unanswered(): number {
    return this.#calls.size;
  }

  /** The answer comes exactly once. The returned function takes the call back. */
  invoke(invocation: Invocation, reply: Reply): () => void {
    return this.#enter("invoke", invocation, reply);
  }

  /** Ends the session; answered with an empty body. */
  end(invocation: Invocation, reply: Reply): () => void {
    return this.#enter("end", invocation, reply);
  }

  /** Resolves when the session is out of memory; at once when it is not here. */
  sleep(token: SessionToken): Promise<void> {
    const hosted = this.#hosted.get(token);
    if (hosted === undefined) return Promise.resolve();
    return this.#settled(hosted, "cold", { type: "sleep" });
  }

  /** Resolves with the epoch when the session is in memory and its claim is durable. */
  async wake(name: SessionName, token: SessionToken): Promise<number> {
    const hosted = this.#host(name, token, true);
    if (!("token" in hosted)) throw new RefusedError(hosted.failure);
    if (hosted.epoch === 0) await this.#settled(hosted, "owned", { type: "wake" });
    return hosted.epoch;
  }

  /** Something that every lane must know before anything else happens. */
  tellAll(event: LaneEvent): void {
    for (const hosted of this.#hosted.values()) this.#step(hosted, event);
  }

  fromWorker(message: Exclude<FromWorker, { type: "log" }>): void {
    const hosted = this.#byActivation.get(message.activation);
    if (hosted === undefined) return; // memory that was dropped meanwhile
    switch (message.type) {
      case "cut_page":
        hosted.cutPages.push(message.bytes);
        return;
      case "cut": {
        const pages = hosted.cutPages.map((bytes) => ({ bytes, hash: pageHash(bytes) }));
        hosted.cutPages = [];
        this.#step(hosted, { ...message, pages });
        return;
      }
      default:
        this.#step(hosted, message);
    }
  }

  workerLost(activations: Iterable<number>): void {
    for (const activation of [...activations]) {
      const hosted = this.#byActivation.get(activation);
      if (hosted !== undefined) this.#step(hosted, { type: "worker_lost", activation });
    }
  }

  /** Puts the sessions of these activations to sleep: they wake under the revision that is current then. */
  retire(activations: Iterable<number>): Promise<unknown> {
    const hosted = [...activations].flatMap((activation) => this.#byActivation.get(activation) ?? []);
    return Promise.all(hosted.map((one) => this.#settled(one, "cold", { type: "sleep" })));
  }

  /** Puts every session to sleep. */
  async drain(): Promise<void> {
    await Promise.all([...this.#hosted.values()].map((hosted) => this.#settled(hosted, "cold", { type: "sleep" })));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const interval of this.#intervals) clearInterval(interval);
    this.#calls[Symbol.dispose]();
  }

  #enter(type: "invoke" | "end", invocation: Invocation, reply: Reply): () => void {
    const hosted = this.#host(invocation.name, invocation.token, invocation.grant !== undefined);
    const refusal = "ok" in hosted ? hosted : queueFull(hosted);
    if (refusal !== undefined || "ok" in hosted) {
      reply(refusal ?? hosted, {});
      return () => undefined;
    }
    const call = this.#calls.add(invocation, reply);
    if (call === undefined) return () => undefined;
    hosted.usedMs = this.#options.clock.monotonicMs();
    hosted.calls += 1;
    this.#step(hosted, { type, call: laneCall(call) });
    return () => {
      call.cancelForward?.();
      this.#abandon(call, "caller");
    };
  }

  #host(name: SessionName, token: SessionToken): Hosted {
    const known = this.#hosted.get(token);
    if (known !== undefined) return known;
    const hosted = host(token, name, this.#options.clock.monotonicMs());
    this.#hosted.set(token, hosted);
    return hosted;
  }

  #settled(hosted: Hosted, what: "owned" | "cold", event: LaneEvent): Promise<void> {
    return new Promise((resolve) => {
      hosted.waiting.push({ for: what, done: resolve });
      this.#step(hosted, event);
      if (what === "cold" && !this.#hosted.has(hosted.token)) settle(hosted, "cold");
    });
  }

  #abandon(call: LiveCall, why: "deadline" | "caller"): void {
    const hosted = this.#hosted.get(call.invocation.token);
    if (hosted !== undefined) this.#step(hosted, { type: "abandon", call: call.number, why });
  }

  #step(hosted: Hosted, event: LaneEvent): void {
    this.#world.refresh();
    for (const effect of stepLane(hosted.lane, event, this.#world)) this.#perform(hosted, effect);
    if (isIdle(hosted.lane) && this.#hosted.get(hosted.token) === hosted) {
      this.#hosted.delete(hosted.token);
      this.#timed.delete(hosted);
      settle(hosted, "cold");
    }
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
      case "reply": {
        const token = `${Buffer.from(effect.uid).toString("base64url")}.${effect.n}`;
        this.#answered(hosted);
        this.#calls.answer(effect.call, decodeAnswer(effect.answer), { hint: this.#options.hint, token });
        return;
      }
      case "fail":
        this.#answered(hosted);
        this.#calls.answer(effect.call, { ok: false, failure: effect.failure });
        return;
      case "ended":
        this.#answered(hosted);
        this.#calls.answer(effect.call, { ok: true, content: "json", body: new Uint8Array(0) });
        return;
      case "forward":
        this.#answered(hosted);
        this.#forward(hosted, effect);
        return;
      case "timer":
        hosted.timers.set(effect.timer, effect.atMs);
        this.#timed.add(hosted);
        return;
      case "owned":
        hosted.epoch = effect.epoch;
        this.#options.reports.activated(hosted.token, hosted.name, effect.epoch);
        if (effect.born) this.#options.store.publishName(hosted.token, hosted.name);
        settle(hosted, "owned");
        return;
      case "cold":
        if (hosted.epoch > 0) this.#options.reports.deactivated(hosted.token);
        hosted.epoch = 0;
        settle(hosted, "cold");
        return;
      case "alarm":
        this.#options.log.error({ alarm: effect.alarm, session: hosted.name }, effect.message);
        return;
      default:
        this.#performOnStore(hosted, effect);
    }
  }

  #performOnWorker(hosted: Hosted, effect: Extract<LaneEffect, { type: "open" | "run" | "cancel" | "cut" | "close" }>): void {
    const { activation } = effect;
    if (effect.type === "open") {
      this.#open(hosted, effect);
      return;
    }
    if (effect.type === "close") {
      this.#byActivation.delete(activation);
      hosted.worker?.close(activation);
      hosted.worker = undefined;
      hosted.cutPages = [];
      return;
    }
    if (effect.type !== "run") {
      hosted.worker?.send(effect);
      return;
    }
    const call = this.#calls.get(effect.job.call);
    if (call === undefined) return; // answered by its deadline; the lane hears of that next
    const { method, content, caller, body } = call.invocation;
    hosted.worker?.send({ type: "run", activation, run: { ...effect.job, method, content, caller, body } });
  }

  #open(hosted: Hosted, { activation, image, epoch }: Extract<LaneEffect, { type: "open" }>): void {
    const worker = this.#options.workers.of(hosted.name);
    hosted.activation = activation;
    this.#byActivation.set(activation, hosted);
    if (worker === undefined) {
      const message = `no agent ${hosted.name.agent} in namespace ${hosted.name.namespace} is deployed`;
      queueMicrotask(() => this.#step(hosted, { type: "open_failed", activation, failure: { code: "not_found", reason: "agent_not_found", message } }));
      return;
    }
    hosted.worker = worker;
    worker.open(activation);
    worker.send({ type: "open", activation, agent: hosted.name.agent, key: hosted.name.key, origin: epoch });
    for (const bytes of image.pages) worker.send({ type: "page", activation, bytes });
    for (const bytes of image.deltas) worker.send({ type: "delta", activation, bytes });
    worker.send({ type: "opened", activation });
  }

  #performOnStore(hosted: Hosted, effect: StoreEffect): void {
    const { store } = this.#options;
    const { token } = hosted;
    switch (effect.type) {
      case "append":
        this.#append(hosted, effect);
        return;
      case "readLast":
        this.#read(hosted, effect.token, store.last(token, effect.leader), (record) => ({ type: "last", token: effect.token, record }));
        return;
      case "readRange":
        this.#read(hosted, effect.token, store.range(token, effect), (records) => ({ type: "range", token: effect.token, records }));
        return;
      case "readPages":
        this.#read(hosted, effect.token, store.readPages(token, effect.names), (pages) => ({ type: "pages", token: effect.token, pages }));
        return;
      case "writePages":
        this.#read(hosted, effect.token, store.writePages(token, effect.pages), () => ({ type: "pages_written", token: effect.token }));
        return;
      case "trim":
        this.#dropped(hosted, "trim", store.trim(token, effect.below));
        return;
      case "deletePages":
        this.#dropped(hosted, "delete pages", store.deletePages(token, effect.names));
        return;
      default:
        unreachable(effect);
    }
  }

  #append(hosted: Hosted, effect: Extract<LaneEffect, { type: "append" }>): void {
    const subjects = laneSubjects(hosted.token);
    const gone = effect.gone ? { rollup: true, ttlSeconds: tombstoneMs / 1000 } : {};
    const append = { subject: subjects.plain, fence: subjects.fence, expect: effect.expect, payload: effect.bytes, ...gone };
    this.#options.commit.append(append, (outcome) => this.#appendDone(hosted, effect.token, outcome));
  }

  #appendDone(hosted: Hosted, token: number, outcome: AppendOutcome): void {
    if (outcome.type === "acked") this.#step(hosted, { type: "appended", token, seq: outcome.seq });
    else if (outcome.type === "refused") this.#step(hosted, { type: "refused", token });
    // Unanswered or an error of the server: the lane's own timer sends the record again.
    else if (outcome.type === "error") this.#options.log.warn({ outcome, session: hosted.name }, "the store refused an append");
  }

  #read<T>(hosted: Hosted, token: number, reading: Promise<T>, event: (value: T) => LaneEvent): void {
    reading.then(
      (value) => this.#step(hosted, event(value)),
      (err: unknown) => {
        this.#options.log.warn({ err, session: hosted.name }, "the store did not answer");
        this.#step(hosted, { type: "store_failed", token });
      },
    );
  }

  #dropped(hosted: Hosted, what: string, work: Promise<unknown>): void {
    work.catch((err: unknown) => this.#options.log.warn({ err, session: hosted.name }, `${what} failed; the next fold makes up for it`));
  }

  #forward(hosted: Hosted, effect: Extract<LaneEffect, { type: "forward" }>): void {
    const call = this.#calls.get(effect.call);
    if (call === undefined) return;
    const { kind, incarnation } = effect;
    call.cancelForward = this.#options.forwarder.forward(kind, incarnation, call.invocation, {
      answered: (answer, meta) => this.#calls.answer(call.number, answer, meta),
      undelivered: () => {
        const again = this.#host(hosted.name, hosted.token);
        again.calls += 1;
        this.#step(again, { type: "undelivered", call: laneCall(call), kind });
      },
    });
  }

  #answered(hosted: Hosted): void {
    hosted.calls -= 1;
    hosted.usedMs = this.#options.clock.monotonicMs();
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
      if (hosted.calls > 0 || nowMs - hosted.usedMs < this.#options.idleMs(hosted.name)) continue;
      this.#step(hosted, { type: "sleep" });
    }
  }
}

type StoreEffect = Extract<
  LaneEffect,
  { type: "append" | "readLast" | "readRange" | "readPages" | "writePages" | "trim" | "deletePages" }
>;

function laneCall(call: LiveCall): Extract<LaneEvent, { type: "invoke" }>["call"] {
  const { readonly, deadlineMs, id, keepMs, bodyHash, hops, body } = call.invocation;
  return { call: call.number, readonly, deadlineMs, id, keepMs, bodyHash, hops, bytes: body.length };
}

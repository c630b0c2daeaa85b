// A node of the simulated mesh: hosts the real lane and the real turns, as the product's host does.
import { crc32 } from "node:zlib";
import { bytesEqual } from "@voda/stdx";
import type { CallHead, CallType } from "../../../dataplane/src/call/index.ts";
import {
  isIdle,
  type Lane,
  type LaneEffect,
  type LaneEvent,
  type LaneTimer,
  openLane,
  phaseOf,
  stepLane,
  type World,
} from "../../../dataplane/src/lane/index.ts";
import { hashOf, Violation } from "./checks.ts";
import type { Attempt, Outcome } from "./clients.ts";
import type { Clockwork } from "./clockwork.ts";
import { createHolder, type Holder } from "./holder.ts";
import type { LeaseNews, Leases } from "./leases.ts";
import { createLink, type Link } from "./link.ts";
import type { Plan } from "./options.ts";
import { type Channel, createProcess, type SimProcess } from "./process.ts";
import type { SimStore } from "./store.ts";
import { createWorker, type SimWorker } from "./worker.ts";

export interface SimNode {
  readonly process: SimProcess;
  readonly holder: Holder;
  readonly link: Link;
  readonly isIdle: boolean;
  start(): void;
  crash(): void;
  /** A call comes in, from a client or from another node. */
  receive(attempt: Attempt, hops: number): void;
  sleep(): void;
  /** The worker threads die. */
  loseWorkers(): void;
  hear(news: LeaseNews): void;
  /** Calls that this life of the process has not answered. */
  unanswered(): number[];
  describe(): string;
}

export interface NodeOptions {
  readonly index: number;
  readonly plan: Plan;
  readonly clockwork: Clockwork;
  readonly store: SimStore;
  readonly leases: () => Leases;
  readonly answered: (attempt: Attempt, outcome: Outcome) => void;
  /** Finds the node that lives under this incarnation now. */
  readonly nodeOf: (incarnation: string) => SimNode | undefined;
}

interface LiveCall {
  readonly number: number;
  readonly attempt: Attempt;
  readonly hops: number;
  readonly deadlineMs: number;
  isAnswered: boolean;
}

const name = { namespace: "default", agent: "simulated", key: "session" };

export function createNode(options: NodeOptions): SimNode {
  const { index, plan, clockwork, store } = options;
  const { random } = clockwork;
  const process = createProcess(clockwork);
  const calls = new Map<number, LiveCall>();
  const workers = new Map<number, SimWorker>();
  /** Their handlers had begun in a worker that was lost. */
  const neverAgain = new Set<number>();
  const timers = new Map<LaneTimer, number>();
  let toWorker: Channel = [];
  let fromWorker: Channel = [];
  let lane: Lane = createLane();
  let unique = 0;
  let nextCall = 0;

  const holder = createHolder({
    index,
    clockwork,
    process,
    leases: options.leases,
    link: () => link,
    changed: () => tell({ type: "leases" }),
  });
  const link: Link = createLink({ plan, clockwork, process, store, changed: (up) => connectionChanged(up) });

  const world: World = {
    get wallMs() {
      return process.wallMs;
    },
    get monotonicMs() {
      return process.monotonicMs;
    },
    get incarnation() {
      return holder.incarnation;
    },
    leaseValid: () => holder.isValid(),
    standing: (incarnation) => holder.standing(incarnation),
    unique: () => ++unique,
    birth: () => Uint8Array.from({ length: 16 }, () => random.below(256)),
  };

  function createLane(): Lane {
    const bounds = {
      foldRecordsMax: plan.foldRecordsMax,
      foldBytesMax: 1 << 20,
      inlineBytesMax: plan.inlineBytesMax,
    };
    return openLane({
      name,
      crc32,
      hash: hashOf,
      trimDelayMs: plan.trimDelayMs,
      connected: false,
      bounds,
    });
  }

  function tell(event: LaneEvent): void {
    const effects = stepLane(lane, event, world);
    for (const effect of effects) perform(effect);
  }

  function connectionChanged(up: boolean): void {
    clockwork.say(`node ${index}: connection ${up ? "up" : "down"}`);
    tell({ type: "connection", up });
    if (up) holder.connected();
  }

  function perform(effect: LaneEffect): void {
    switch (effect.type) {
      case "open":
      case "run":
      case "identify":
      case "cancel":
      case "cut":
      case "close":
        return process.deliver(random.next(), () => performOnWorker(effect), toWorker);
      case "reply":
        return answer(effect.call, { type: "reply", answer: effect.answer });
      case "fail":
        return answer(effect.call, { type: "fail", failure: effect.failure });
      case "done":
        return answer(effect.call, { type: "done" });
      case "forward":
        return forward(effect);
      case "timer":
        return arm(effect.timer, effect.atMs);
      case "owned":
        return clockwork.say(`node ${index}: owns the session in epoch ${effect.epoch}`);
      case "cold":
        return clockwork.say(`node ${index}: cold, ${effect.why}`);
      case "alarm":
        return alarm(effect.alarm, effect.message);
      case "append":
      case "readLast":
      case "readRange":
      case "readTraces":
      case "readPages":
      case "writePages":
      case "trim":
      case "trimAsleep":
      case "deletePages":
        return performOnStore(effect);
    }
  }

  type StoreEffect = Extract<
    LaneEffect,
    {
      type:
        | "append"
        | "readLast"
        | "readRange"
        | "readTraces"
        | "readPages"
        | "writePages"
        | "trim"
        | "trimAsleep"
        | "deletePages";
    }
  >;
  function performOnStore(effect: StoreEffect): void {
    switch (effect.type) {
      case "append":
        clockwork.say(
          `node ${index}: sends ${holder.incarnation.slice(0, 4)}.${effect.token} expecting ${effect.expect}`,
        );
        return link.publish((reply) =>
          store.append(effect, (result) =>
            reply(() =>
              tell(
                result === "refused"
                  ? { type: "refused", token: effect.token }
                  : result === "full"
                    ? { type: "rejected", token: effect.token, why: "the store is full" }
                    : { type: "appended", token: effect.token, seq: result },
              ),
            ),
          ),
        );
      case "readLast":
        return ask(effect.token, () => ({
          type: "last",
          token: effect.token,
          record: store.last(effect.leader),
        }));
      case "readRange":
        return ask(effect.token, () => ({
          type: "range",
          token: effect.token,
          records: store.range(effect.from, effect.leader, effect.limit),
        }));
      case "readTraces":
        return ask(effect.token, () => ({ type: "traces", token: effect.token, found: store.traces() }));
      case "readPages":
        return ask(effect.token, () => ({
          type: "pages",
          token: effect.token,
          pages: effect.names.map((page) => store.readPage(page)),
        }));
      case "writePages":
        return ask(effect.token, () => {
          for (const page of effect.pages) store.writePage(page.name, page.bytes);
          return { type: "pages_written", token: effect.token };
        });
      case "trim":
        return link.publish(() => store.purge(effect.below), random.chance(0.3) ? random.below(4000) : 0);
      case "trimAsleep":
        return process.deliver(effect.inMs, () =>
          link.publish((reply) => {
            const last = store.last(true);
            const isLast = last !== undefined && bytesEqual(hashOf(last.bytes), effect.hash);
            reply(() => isLast && link.publish(() => store.purge(effect.below)));
          }),
        );
      case "deletePages":
        return link.publish(() => {
          for (const page of effect.names) store.deletePage(page);
        });
    }
  }

  /** A request to the store: every one is answered or fails. */
  function ask(token: number, act: () => LaneEvent): void {
    let isOver = false;
    link.publish((reply) => {
      const event = act();
      reply(() => {
        if (isOver) return;
        isOver = true;
        tell(event);
      });
    });
    process.deliver(700, () => {
      if (isOver) return;
      isOver = true;
      tell({ type: "store_failed", token });
    });
  }

  function performOnWorker(
    effect: Extract<LaneEffect, { type: "open" | "run" | "identify" | "cancel" | "cut" | "close" }>,
  ): void {
    const { activation } = effect;
    if (effect.type === "open") {
      workers.set(
        activation,
        createWorker({
          activation,
          image: effect.image,
          operation: (call) => liveCall(call).attempt.operation,
          nowMs: () => process.monotonicMs,
          run: (done) => process.deliver(random.chance(0.1) ? random.below(600) : random.next() * 10, done),
          say: (message) => process.deliver(random.next(), () => tell(message), fromWorker),
        }),
      );
      return;
    }
    const worker = workers.get(activation);
    if (worker === undefined) return; // it was lost
    if (effect.type === "run") {
      const { call } = effect;
      if (neverAgain.has(call)) throw new Violation(`call ${call} begins again after its worker was lost`);
      worker.tell({ type: "run", call: headOf(liveCall(call)) });
    }
    if (effect.type === "identify") return worker.identify(effect.call);
    if (effect.type === "cancel") worker.tell({ type: "cancel", call: effect.call, why: effect.why });
    else if (effect.type !== "run") worker.tell({ type: effect.type });
    if (effect.type === "close") workers.delete(activation);
  }

  function liveCall(call: number): LiveCall {
    const found = calls.get(call);
    if (found === undefined) throw new Violation(`call ${call} is unknown`);
    return found;
  }

  function answer(number: number, outcome: Outcome): void {
    const call = liveCall(number);
    if (call.isAnswered) throw new Violation(`call ${number} is answered twice`);
    call.isAnswered = true;
    options.answered(call.attempt, outcome);
  }

  function forward({ call: number, incarnation }: Extract<LaneEffect, { type: "forward" }>): void {
    const call = liveCall(number);
    if (call.isAnswered) throw new Violation(`call ${number} is answered twice`);
    call.isAnswered = true;
    clockwork.say(`node ${index}: forwards ${call.attempt.operation.number} to ${incarnation.slice(0, 4)}`);
    clockwork.after(random.next() * 5, () => {
      const other = options.nodeOf(incarnation);
      if (other !== undefined) other.receive(call.attempt, call.hops + 1);
      else process.deliver(random.next() * 20, () => undelivered(call, incarnation));
    });
  }

  function undelivered(call: LiveCall, incarnation: string): void {
    const again = take(call.attempt, call.hops);
    tell({ type: "undelivered", call: headOf(again), incarnation });
  }

  function arm(timer: LaneTimer, atMs: number): void {
    const version = (timers.get(timer) ?? 0) + 1;
    timers.set(timer, version);
    process.deliver(process.delayUntil(atMs), () => {
      if (timers.get(timer) === version) tell({ type: "timer", timer });
    });
  }

  function alarm(kind: string, message: string): void {
    clockwork.say(`node ${index}: alarm ${kind}: ${message}`);
    if (kind === "data_loss" && plan.faults.powerLosses > 0) return;
    throw new Violation(`alarm ${kind}: ${message}`);
  }

  function take(attempt: Attempt, hops: number): LiveCall {
    nextCall += 1;
    const deadlineMs = process.monotonicMs + attempt.timeoutMs;
    const call: LiveCall = { number: nextCall, attempt, hops, deadlineMs, isAnswered: false };
    calls.set(call.number, call);
    const leave = (why: "deadline" | "caller"): void => {
      if (!call.isAnswered) tell({ type: "abandon", call: call.number, why });
    };
    process.deliver(attempt.timeoutMs, () => leave("deadline"));
    if (random.chance(0.05)) process.deliver(random.below(attempt.timeoutMs), () => leave("caller"));
    return call;
  }

  function receive(attempt: Attempt, hops: number): void {
    process.deliver(random.next() * 3, () => {
      const call = take(attempt, hops);
      const { operation } = attempt;
      clockwork.say(
        `node ${index}: gets ${operation.kind} ${operation.number} as call ${call.number}, ${phaseOf(lane)}`,
      );
      tell({ type: typeOf(call) === "invoke" ? "invoke" : "control", call: headOf(call) });
    });
  }

  return {
    process,
    holder,
    link,
    get isIdle() {
      return isIdle(lane);
    },
    start() {
      process.start();
      calls.clear();
      workers.clear();
      neverAgain.clear();
      timers.clear();
      toWorker = [];
      fromWorker = [];
      unique = 0;
      lane = createLane();
      clockwork.say(`node ${index}: starts`);
      holder.start();
      link.start();
    },
    crash() {
      clockwork.say(`node ${index}: dies`);
      process.crash();
      link.crash();
    },
    receive,
    sleep() {
      process.deliver(0, () => tell({ type: "sleep" }));
    },
    loseWorkers() {
      process.deliver(0, () => {
        const lost = [...workers];
        workers.clear();
        // what they had said is heard first
        for (const [activation, { begun }] of lost) {
          for (const call of begun) if (!headOf(liveCall(call)).readonly) neverAgain.add(call);
          process.deliver(1, () => tell({ type: "worker_lost", activation, begun }), fromWorker);
        }
        clockwork.say(`node ${index}: loses its workers`);
      });
    },
    hear(news) {
      process.deliver(random.chance(0.1) ? random.below(800) : random.next() * 20, () => {
        holder.hear(news);
        tell({ type: "leases" });
      });
    },
    unanswered: () => [...calls.values()].filter((call) => !call.isAnswered).map((call) => call.number),
    describe: () =>
      `node ${index}: ${process.isUp ? phaseOf(lane) : "dead"} ${holder.incarnation.slice(0, 4)}`,
  };
}

function typeOf({ attempt }: LiveCall): CallType {
  const { kind } = attempt.operation;
  return kind === "end" || kind === "wake" ? kind : "invoke";
}

function headOf(call: LiveCall): CallHead {
  const { operation, id } = call.attempt;
  const readonly = operation.kind === "read";
  return {
    number: call.number,
    type: typeOf(call),
    readonly,
    deadlineMs: call.deadlineMs,
    id,
    hops: call.hops,
    bytes: 10,
  };
}

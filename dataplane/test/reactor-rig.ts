// A reactor in a test's hand: its ports write down what they are asked, and say what the test has them say.
import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { create } from "@bufbuild/protobuf";
import { AgentSchema, MethodAccess, MethodMode, MethodOnBusy } from "@voda/proto/api";
import type { DeviceShare } from "@voda/proto/grant";
import {
  type Answer,
  type Call,
  createNumbers,
  encodeAnswer,
  type Failed,
  type Send,
  type TakeBack,
} from "../src/call/index.ts";
import { foldBoundsOf, openLane, type StoredRecord } from "../src/lane/index.ts";
import type { Burial, Opening, PassedOn, Ports } from "../src/reactor/ports.ts";
import { Reactor } from "../src/reactor/reactor.ts";
import { type CallParts, plainCall } from "./call.ts";
import { hash, me } from "./lane-rig.ts";
import { type TestTimers, testTimers } from "./timers.ts";

const agent = create(AgentSchema, {
  name: "counter",
  queueMax: 100,
  turnMsMax: 1_000,
  idleMs: 60_000,
  methods: [
    { name: "add", mode: MethodMode.HANDLER },
    { name: "now", mode: MethodMode.HANDLER, onBusy: MethodOnBusy.REJECT },
    { name: "slow", mode: MethodMode.READONLY, turnMsMax: 5_000 },
    { name: "get", mode: MethodMode.READONLY },
    { name: "audit", mode: MethodMode.HANDLER, access: MethodAccess.INTERNAL },
  ],
});
const answer = encodeAnswer({ ok: true, content: "json", body: Uint8Array.of(50) });

interface RigOptions {
  /** The first of all numbers. */
  readonly first?: number;
  /** What a worker says to an opening. */
  readonly refusal?: Failed;
  /** The last record of the session's lane; whoever wrote it lives, unless it `isOver`. */
  readonly last?: StoredRecord;
  readonly isOver?: boolean;
  readonly queueMax?: number;
  /** What openings get of the node. */
  readonly devices?: readonly DeviceShare[];
  /** What the worker knows of the agent. */
  readonly unknown?: Failed;
}

/** A call that was passed on. */
interface Passed {
  readonly call: Call;
  readonly told: PassedOn;
  /** Why it was taken back. */
  readonly taken: string[];
}

/** What the ports were asked, in order. */
interface Seen {
  readonly opened: Opening[];
  readonly ran: Call[];
  readonly passed: Passed[];
  /** Grants that are looked at. */
  readonly checks: ((checked: Call | Failed) => void)[];
  readonly cuts: number[];
  readonly ended: string[];
  /** Answers to what handlers asked: of which activation, under which number. */
  readonly replies: [number, number, Answer][];
  readonly retired: Set<number>;
  readonly buried: Burial[];
  readonly reported: string[];
  appends: number;
  /** Whether the store rejects what is appended. */
  isFull: boolean;
}

const nothingSeen = (): Seen => ({
  opened: [],
  ran: [],
  passed: [],
  checks: [],
  cuts: [],
  ended: [],
  replies: [],
  retired: new Set(),
  buried: [],
  reported: [],
  appends: 0,
  isFull: false,
});

/** Answers of the store, which come when the test lets them. */
type Later = (() => void)[];

function portsOf(options: RigOptions, seen: Seen, later: Later): Ports {
  const known = { ...agent, queueMax: options.queueMax ?? agent.queueMax };
  return {
    worker: {
      agentOf: () => options.unknown ?? known,
      askedAgentOf: () => options.unknown ?? known,
      open(opening) {
        if (options.refusal !== undefined) return options.refusal;
        seen.opened.push(opening);
        return { agent: known, devices: options.devices ?? [] };
      },
      run: (_activation, call) => void seen.ran.push(call),
      identify: () => undefined,
      cancel: () => undefined,
      cut: (activation) => void seen.cuts.push(activation),
      answerAsk: (...reply) => void seen.replies.push(reply),
      recall: () => undefined,
      answerStep: () => undefined,
      close: () => undefined,
      outbox: () => undefined,
      isCurrent: (activation) => !seen.retired.has(activation),
    },
    store: storeOf(options, seen, later),
    callers: {
      check: (_call, _grant, done) => void seen.checks.push(done),
      threadEnded: (_call, why) => void seen.ended.push(why),
    },
    mesh: {
      forward(_incarnation, call, told) {
        const taken: string[] = [];
        seen.passed.push({ call, told, taken });
        return (why) => void taken.push(why);
      },
      owned: () => undefined,
      released: () => undefined,
      report(_session, incident, message) {
        if (incident !== "dead_letter") assert.fail(message);
        seen.reported.push(message);
      },
      deadWords: "`npx voda ps --dead` lists it",
      warn: (_session, message) => void seen.reported.push(message),
    },
  };
}

/** It keeps the records of sessions, unless it is full. */
function storeOf({ last }: RigOptions, seen: Seen, later: Later): Ports["store"] {
  const lanes = new Map<string, StoredRecord[]>();
  const laneOf = (token: string): StoredRecord[] => {
    const lane = lanes.get(token) ?? (last === undefined ? [] : [last]);
    lanes.set(token, lane);
    return lane;
  };
  return {
    append({ token }, { bytes }, { accepted, rejected }) {
      seen.appends += 1;
      if (seen.isFull) {
        later.push(() => rejected("no room"));
        return;
      }
      const seq = (last?.seq ?? 0) + seen.appends;
      laneOf(token).push({ seq, atMs: 1_000, bytes });
      later.push(() => accepted(seq));
    },
    last: ({ token }, _leader, told) =>
      void later.push(() => told.answered({ record: laneOf(token).at(-1), mark: undefined })),
    range: ({ token }, { from }, told) =>
      void later.push(() => told.answered(laneOf(token).filter(({ seq }) => seq >= from))),
    recordsAt: ({ token }, seqs, told) =>
      void later.push(() => told.answered(laneOf(token).filter(({ seq }) => seqs.includes(seq)))),
    traces: (_session, told) => void later.push(() => told.answered("nothing")),
    readPages: () => undefined,
    writePages: () => undefined,
    mark: () => undefined,
    trim: () => undefined,
    trimAsleep: () => undefined,
    deletePages: () => undefined,
    ring: (_session, _incarnation, told) => void later.push(() => told.answered(1)),
    unring: () => undefined,
    bury: (_session, dead, told) => {
      const isKept = seen.buried.some(({ letter }) => letter.n === dead.letter.n);
      seen.buried.push(dead);
      later.push(() => told.answered(isKept ? undefined : 17));
    },
    writeName: () => undefined,
  };
}

function reactorOf(
  ports: Ports,
  timers: TestTimers,
  unique: () => number,
  { isOver = false }: RigOptions,
): Reactor {
  return new Reactor({
    ports,
    world: {
      refresh: () => undefined,
      storeMs: 1e6,
      get monotonicMs() {
        return timers.nowMs();
      },
      incarnation: me,
      leaseValid: () => true,
      standing: (of) => (isOver && of !== me ? { type: "ended", successor: undefined } : { type: "living" }),
      wasClosed: () => false,
      unique,
      birth: () => new Uint8Array(16),
    },
    timers,
    openLane: (name) => openLane({ name, crc32, hash, folds: foldBoundsOf(true), connected: true }),
    hint: "10.0.0.1:7000",
  });
}

/** What the thread says that runs the session which was opened last. */
function threadOf(seen: Seen, reactor: Reactor) {
  const activation = (): number => seen.opened.at(-1)?.activation ?? assert.fail("nothing is open");
  const numberAt = (index: number): number =>
    seen.ran[index]?.head.number ?? assert.fail(`no call ${index} ran`);
  const hear: Opening["hear"] = (event) =>
    seen.opened.find((one) => one.activation === event.activation)?.hear(event);
  return {
    hear,
    turned(index: number, turn: number, sends: readonly Send[] = []): void {
      const delta = Uint8Array.of(1);
      const parts = { activation: activation(), call: numberAt(index), turn, delta, answer };
      hear({ type: "turned", ...parts, canonicalHash: undefined, sends });
    },
    read(index: number, after: number): void {
      hear({ type: "read", activation: activation(), call: numberAt(index), after, answer });
    },
    cut(after: number): void {
      hear({ type: "cut", activation: activation(), after, pages: [] });
    },
    /** The thread ended under the calls at these places of `ran`. */
    loseThread(
      begun: readonly number[],
      more: { overdue?: number; holder?: number; last?: number } = {},
    ): void {
      const calls = new Set(begun.map(numberAt));
      reactor.workerLost({
        activations: [activation()],
        begun: {
          has: (call) => calls.has(call),
          holder: more.holder === undefined ? undefined : numberAt(more.holder),
          last: more.last === undefined ? undefined : numberAt(more.last),
        },
        overdue: more.overdue === undefined ? undefined : numberAt(more.overdue),
        why: "it was lost",
      });
    },
  };
}

export function reactorRig(options: RigOptions = {}) {
  const timers = testTimers();
  const numbers = createNumbers(options.first ?? 1);
  const later: Later = [];
  const seen = nothingSeen();
  const ports = portsOf(options, seen, later);
  const reactor = reactorOf(ports, timers, numbers, options);
  const answers: Answer[] = [];
  return {
    ...seen,
    ...threadOf(seen, reactor),
    worker: ports.worker,
    reactor,
    timers,
    answers,
    get appends() {
      return seen.appends;
    },
    get activation() {
      return seen.opened.at(-1)?.activation ?? assert.fail("nothing is open");
    },
    submit(more: CallParts = {}, forMs = 10_000): TakeBack {
      const call = plainCall(numbers(), timers.nowMs() + forMs, more);
      return reactor.submit(call, (given) => void answers.push(given));
    },
    /** Everything that the store was asked is answered, and what follows from it. */
    settle(): void {
      for (let next = later.shift(); next !== undefined; next = later.shift()) next();
    },
    /** From here on the store rejects everything. */
    fill(): void {
      seen.isFull = true;
    },
    /** A session that has answered one call and owns its lane. */
    owning() {
      this.submit();
      this.settle();
      this.turned(0, 1);
      this.settle();
      assert.deepEqual(reasonsOf(answers.splice(0)), ["ok"]);
      return this;
    },
  };
}

/** `ok`, or why not. */
export const reasonsOf = (answers: readonly Answer[]): string[] =>
  answers.map((given) => (given.ok ? "ok" : given.failure.reason));

/** Of those that are refused; empty for others. */
export const messagesOf = (answers: readonly Answer[]): string[] =>
  answers.map((given) => (given.ok ? "" : given.failure.message));

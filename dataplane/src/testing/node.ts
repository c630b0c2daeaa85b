// One life of the node of a mesh in memory: the product's reactor and lanes, on ports of this process.
import { crc32 } from "node:zlib";
import { hash16 } from "@voda/proto/hash16";
import { type SessionName, type SessionToken, sessionToken } from "@voda/proto/session";
import { gatherFunction } from "voda/definition";
import { fail, type Submit } from "../call/index.ts";
import { Inbox } from "../host/inbox.ts";
import { foldBoundsOf, type Lane, openLane } from "../lane/index.ts";
import { type HostWorld, type MeshPort, Reactor } from "../reactor/index.ts";
import type { ThreadWorld } from "../worker/world.ts";
import type { Clockwork } from "./clockwork.ts";
import type { Deployment } from "./deployment.ts";
import { createHandlers } from "./handlers.ts";
import type { LogBook } from "./log-book.ts";
import { Program } from "./program.ts";
import type { MemoryStore, StoredLane } from "./store.ts";
import { createStorePort } from "./store-port.ts";
import { Threads } from "./threads.ts";
import type { ThrownBook } from "./thrown-book.ts";

/** What stays when a node dies. */
export interface NodeParts {
  readonly clockwork: Clockwork;
  readonly store: MemoryStore;
  readonly deployment: Deployment;
  readonly log: LogBook;
  readonly world: Omit<ThreadWorld, "after" | "gather">;
  /** Never gives out a number twice, in whichever life. */
  readonly numbers: () => number;
  readonly thrown: ThrownBook;
}

/** Between two looks for sessions whose `idle` is over: they sleep so much later at most. */
const idleSweepMs = 1_000;
/** Until a session is woken again that did not do what its bell is for. */
const bellRetryMs = 2_000;
const deliverMsMax = 30_000;
const birthBytes = 16;

export class NodeLife {
  readonly #parts: NodeParts;
  readonly #program: Program;
  readonly #reactor: Reactor;
  readonly #inbox: Inbox;
  readonly #handlers = createHandlers();
  /** Of sessions that this life has had to do with. */
  readonly #lanes = new Map<SessionToken, Lane>();
  /** Sessions that are woken for their bells: once each, however often somebody looks. */
  readonly #waking = new Set<SessionToken>();
  #isSweeping = false;
  #disarmBells = (): void => undefined;

  /** `life`: which one it is, from 1. */
  constructor(parts: NodeParts, life: number) {
    const { clockwork, store, deployment, log, numbers, thrown } = parts;
    const program = new Program(clockwork, {
      get monotonicMs() {
        return clockwork.nowMs;
      },
      delayUntil: (atMs) => atMs - clockwork.nowMs,
    });
    this.#parts = parts;
    this.#program = program;
    const after = (ms: number, act: () => void): (() => void) => this.#after(ms, act);
    const world = { ...parts.world, after, gather: gatherFunction(after) };
    this.#reactor = new Reactor({
      ports: {
        worker: new Threads({ program, deployment, log, world, handlers: this.#handlers, thrown }).port,
        store: createStorePort({
          clockwork,
          program,
          store,
          wallMs: world.now,
          rung: () => this.#checkBellsSoon(),
        }),
        callers: { check: (call, _grant, done) => done(call), threadEnded: () => undefined },
        mesh: this.#meshPort(),
      },
      world: worldOf(parts, life.toString(16).padStart(32, "0")),
      timers: { nowMs: () => clockwork.nowMs, at: (atMs, act) => this.#after(atMs - clockwork.nowMs, act) },
      openLane: (name) => this.#openLane(name),
      hint: "",
    });
    this.#inbox = new Inbox({ numbers, refusal: fail("draining", "the node is not open") });
    this.#inbox.open(this.#reactor);
    program.start();
    this.#checkBellsSoon();
  }

  /** Does something in this life, soon. */
  soon(act: () => void): void {
    this.#program.deliver(0, act);
  }

  readonly submit: Submit = (call, reply) => {
    this.#sweepIdle();
    return this.#reactor.submit(call, reply);
  };

  /** Whether a handler runs that may wait for something outside of the mesh. */
  get isBusy(): boolean {
    return this.#handlers.areBusy;
  }

  /** Whether a session has sent what is not taken. */
  get hasLetters(): boolean {
    const { store, world } = this.#parts;
    // in memory, where no bell says what is on its way now
    for (const { activation } of this.#lanes.values())
      if (activation !== undefined && activation.outbox.letters.size > 0) return true;
    for (const { bell, session } of store.lanes)
      if (bell !== undefined && bell.dueMs <= world.now() && !this.isAwake(session.token)) return true;
    return false;
  }

  isAwake(token: SessionToken): boolean {
    return this.#reactor.isHere(token);
  }

  /** `asleep` is told when the session is out of memory. */
  sleep(token: SessionToken, asleep: () => void): void {
    this.soon(() => void this.#reactor.sleep(token).then(asleep));
  }

  /** Nothing happens in this life any more; what it has sent to the store arrives. */
  die(): void {
    this.#program.crash();
  }

  #openLane(name: SessionName): Lane {
    const lane = openLane({ name, crc32, hash: hash16, connected: true, folds: foldBoundsOf(true) });
    this.#lanes.set(sessionToken(name), lane);
    return lane;
  }

  #after(ms: number, act: () => void): () => void {
    let isArmed = true;
    this.#program.deliver(ms, () => {
      if (isArmed) act();
    });
    return () => {
      isArmed = false;
    };
  }

  /** The only node: nobody has sessions that it could pass calls on to. */
  #meshPort(): MeshPort {
    return {
      forward() {
        throw new Error("there is no other node");
      },
      owned: () => this.#sweepIdle(),
      // what it is to do later is in its bell
      released: () => this.#checkBellsSoon(),
      report: ({ name: { agent, key } }, incident, message) =>
        this.#parts.log.say("error", message, { incident }, { agent, key }),
      // there is no command line here
      deadWords: "mesh.deadLetters has it",
      warn: ({ name: { agent, key } }, message) => this.#parts.log.say("warn", message, {}, { agent, key }),
    };
  }

  /**
   * Runs as long as there are sessions in memory, and not at all when all sleep: else a year of a test would
   * be millions of looks at nothing.
   */
  #sweepIdle(): void {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    this.#program.deliver(idleSweepMs, () => {
      this.#isSweeping = false;
      this.#reactor.sleepIdle();
      if (!this.#reactor.isEmpty) this.#sweepIdle();
    });
  }

  #checkBellsSoon(): void {
    this.soon(() => this.#checkBells());
  }

  /** A real node looks again and again; here everybody looks who changes something. */
  #checkBells(): void {
    const { store, world } = this.#parts;
    this.#disarmBells();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const lane of store.lanes) {
      const { bell, session } = lane;
      if (bell === undefined || this.isAwake(session.token)) continue;
      const inMs = bell.dueMs - world.now();
      if (inMs <= 0) void this.#answerBell(lane, bell.seq);
      else nextMs = Math.min(nextMs, inMs);
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#disarmBells = this.#after(nextMs, () => this.#checkBells());
  }

  /** A bell that is rung meanwhile lies at a higher place, and stays. */
  async #answerBell(lane: StoredLane, seq: number): Promise<void> {
    const { name, token } = lane.session;
    if (this.#waking.has(token)) return;
    this.#waking.add(token);
    this.#sweepIdle();
    const untilMs = this.#parts.clockwork.nowMs + deliverMsMax;
    const told = await this.#inbox.order("deliver", name, untilMs, undefined);
    this.#waking.delete(token);
    if (told.ok) lane.unring(seq);
    else this.#after(bellRetryMs, () => this.#checkBells());
  }
}

function worldOf({ clockwork, world, numbers }: NodeParts, incarnation: string): HostWorld {
  const { random } = clockwork;
  return {
    refresh: () => undefined,
    get storeMs() {
      return world.now();
    },
    get monotonicMs() {
      return clockwork.nowMs;
    },
    incarnation,
    leaseValid: () => true,
    // every other life is over, and its sessions are looked for by this one
    standing: (of) => (of === incarnation ? { type: "living" } : { type: "ended", successor: incarnation }),
    wasClosed: () => false,
    unique: numbers,
    birth: () => Uint8Array.from({ length: birthBytes }, () => random.below(256)),
  };
}

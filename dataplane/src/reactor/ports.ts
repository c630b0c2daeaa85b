// What the reactor wants of the world, said once: a node supplies threads, a store, signatures and a mesh;
// the simulator supplies models of them. Nothing that a port answers comes inside the call that asked, unless
// it says so.
import type { Agent } from "@voda/proto/api";
import type { DeviceShare } from "@voda/proto/grant";
import type { Mark, Traces } from "@voda/proto/mark";
import type { NamedSession, SessionName } from "@voda/proto/session";
import type { NamedPage, PageName, PageReference } from "@voda/proto/wire";
import type {
  AbandonReason,
  Answer,
  AnswerMeta,
  AsideMessage,
  Call,
  Failed,
  Failure,
  OutboxChange,
  Recalled,
  StepAnswer,
  TakeBack,
} from "../call/index.ts";
import type { ColdReason, Image, LaneEvent, Letter, StoredRecord, World } from "../lane/index.ts";

/** Where activations run. */
export interface WorkerPort {
  /** The agent as it is deployed now, or why its sessions cannot be here. */
  agentOf(name: SessionName): Agent | Failed;
  /** The same for what a handler here asks: one that is not deployed is unknown, not on its way. */
  askedAgentOf(name: SessionName): Agent | Failed;
  /**
   * Opens the activation at the current revision and takes its part of the node, at once; of a refusal
   * nothing is left. `epoch`: no other activation of this session that commits anything has the same.
   * `granted`: what a grant gives of the devices.
   */
  open(opening: Opening): Opened | Failed;
  run(activation: number, call: Call): void;
  /** Says what the call means; it does not run. */
  identify(activation: number, call: Call): void;
  cancel(activation: number, call: number, why: AbandonReason): void;
  cut(activation: number): void;
  /** The answer to what a handler of the activation asked. */
  answerAsk(activation: number, askId: number, answer: Answer): void;
  /** So much of what the session has sent, or is to do later, was found at its opening, or is over. */
  outbox(activation: number, change: OutboxChange): void;
  /** Before its `run`: what the call drew when it ran before. */
  recall(activation: number, call: number, recalled: Recalled): void;
  /** What becomes of a step that a handler of the activation wants to do, or has done. */
  answerStep(activation: number, step: number, answer: StepAnswer): void;
  /** Gives its part of the node back. */
  close(activation: number): void;
  /** Whether the activation runs under the revision that is current now. */
  isCurrent(activation: number): boolean;
}

export interface Opening extends NamedSession {
  readonly activation: number;
  readonly epoch: number;
  readonly image: Image;
  readonly granted: readonly DeviceShare[] | undefined;
  /** Hears what the worker says of the activation, in its order, until it is closed or lost. */
  readonly hear: (event: WorkerEvent | AsideMessage) => void;
}

/** What a worker says of one of its activations. */
export type WorkerEvent = Extract<
  LaneEvent,
  {
    type:
      | "turned"
      | "failed"
      | "read"
      | "dropped"
      | "step"
      | "step_done"
      | "identified"
      | "cut"
      | "open_failed";
  }
>;

export interface Opened {
  readonly agent: Agent;
  /** What it holds of the node's devices. */
  readonly devices: readonly DeviceShare[];
}

/** How a request to the store ends: with a value, or without one, within seconds. */
export interface Resolver<T> {
  readonly answered: (value: T) => void;
  readonly failed: () => void;
}

export interface AppendedRecord {
  /** Sequence of the last record of the lane. */
  readonly expect: number;
  readonly bytes: Uint8Array;
  /** It is a tombstone: it takes the place of the lane. */
  readonly gone: boolean;
}

/** What becomes of an append. */
export interface Appended {
  readonly accepted: (seq: number) => void;
  /** The lane has moved on, or another record is on its way. */
  readonly refused: () => void;
  /** The store takes nothing: `why` are its words. */
  readonly rejected: (why: string) => void;
}

/** What a bell says. */
export interface RungBell {
  /** Of this node, whose memory has the session. */
  readonly incarnation: string;
  /** When somebody must look at the session that nobody has in memory, by the store's clock. */
  readonly dueMs: number;
}

/** What becomes of a bell: where it lies; or that nobody knows; or that the store takes nothing. */
export interface Rung extends Resolver<number>, Pick<Appended, "rejected"> {}

/** What a sleeping session no longer needs once the store cannot lose its fold. */
export interface AsleepTrim {
  /** Of the fold that it sleeps with. */
  readonly hash: Uint8Array;
  /** What is before this sequence goes. */
  readonly below: number;
  readonly inMs: number;
}

export interface StorePort {
  /** Without an answer nothing is told: the lane sends the record again. */
  append(session: NamedSession, record: AppendedRecord, told: Appended): void;
  last(session: NamedSession, leader: boolean, told: Resolver<LastSeen>): void;
  range(session: NamedSession, range: Range, told: Resolver<readonly StoredRecord[]>): void;
  /** Those of them that lie there, ascending. */
  recordsAt(session: NamedSession, seqs: readonly number[], told: Resolver<readonly StoredRecord[]>): void;
  /** From the leader: whether there is a name record, and then whether there is any record. */
  traces(session: NamedSession, told: Resolver<Traces>): void;
  readPages(
    session: NamedSession,
    names: readonly PageReference[],
    told: Resolver<readonly (Uint8Array | undefined)[]>,
  ): void;
  writePages(session: NamedSession, pages: readonly NamedPage[], told: Resolver<void>): void;
  /** Not awaited: it is kept in memory, where `last` finds it too, until it is stored. */
  mark(session: NamedSession, mark: Mark, isUrgent: boolean): void;
  /** Not awaited: what stays is found by the next fold. */
  trim(session: NamedSession, below: number): void;
  /** Later, if the session still sleeps then: whoever wakes it trims it otherwise. */
  trimAsleep(session: NamedSession, trim: AsleepTrim): void;
  deletePages(session: NamedSession, names: readonly PageName[]): void;
  /** Told is where it lies. */
  ring(session: NamedSession, bell: RungBell, told: Rung): void;
  /** Not awaited: what stays costs a wake. Up to that sequence. */
  unring(session: NamedSession, seq: number): void;
  /** Kept until a person decides. Told is its id; `undefined` when it was kept before. */
  bury(session: NamedSession, dead: Burial, told: Resolver<number | undefined>): void;
  /** Not awaited: tried again until it is there. `isBorn`: one that is there is of an earlier life. */
  writeName(session: NamedSession, isBorn: boolean): void;
}

/** A letter that nobody takes. */
export interface Burial {
  /** The birth id of the session that sent it. */
  readonly source: Uint8Array;
  readonly letter: Letter;
  /** What its last attempt ended with. */
  readonly failure: Failure;
  /** How often its handler was to blame. */
  readonly attempts: number;
}

/** The end of a lane, and how far it has been acknowledged: from the leader, that was read first. */
export interface LastSeen {
  readonly record: StoredRecord | undefined;
  readonly mark: Mark | undefined;
}

export interface Range {
  readonly from: number;
  readonly leader: boolean;
  readonly limit: number | undefined;
}

/** Those who call. Each call brings the way to answer it; what else there is about callers stands here. */
export interface CallersPort {
  /**
   * Checks the grant that the call brings: the call as it may run, or why it may not. May answer inside this
   * call.
   */
  check(call: Call, grant: string, done: (checked: Call | Failed) => void): void;
  /** The thread ended under the call, whose handler had begun: what it did elsewhere is not undone. */
  threadEnded(call: Call, why: string): void;
}

export interface PassedOn {
  answered(answer: Answer, meta: AnswerMeta): void;
  /** It certainly did not run there. */
  undelivered(): void;
  /** Nobody knows what became of it. */
  lost(): void;
}

/** The other nodes, the control plane, and whoever reads the log. */
export interface MeshPort {
  /** Passes the call on to that life of a node. Nothing is told once it is taken back. */
  forward(incarnation: string, call: Call, told: PassedOn): TakeBack;
  /** The session is in memory here and its claim is durable. */
  owned(session: NamedSession & Owned): void;
  /** It is not, or not any more. */
  released(session: NamedSession, why: ColdReason | "refused"): void;
  report(session: NamedSession, incident: string, message: string): void;
  /** Where whoever reads the log finds dead letters, to end its lines. */
  readonly deadWords: string;
  /** Nothing is lost, and whoever looks for a reason finds it. */
  warn(session: NamedSession, message: string): void;
}

export interface Owned {
  readonly epoch: number;
  readonly devices: readonly DeviceShare[];
}

export interface Ports {
  readonly worker: WorkerPort;
  readonly store: StorePort;
  readonly callers: CallersPort;
  readonly mesh: MeshPort;
}

/** What lanes may ask while they decide. */
export interface HostWorld extends World {
  /** Reads the clock for the pass that follows: its times stay until the next one. */
  refresh(): void;
}

export type Disarm = () => void;

/** Time, as an argument. */
export interface TimerPort {
  readonly nowMs: () => number;
  /** Once, at that monotonic time or a little later, never inside this call; not after it is disarmed. */
  readonly at: (atMs: number, act: () => void) => Disarm;
}

// The I/O thread's half of a session: what happens to it, what it wants done, and what it may ask of the node
// while it decides.
import type { Mark, Traces } from "@voda/proto/mark";
import type { HashedPage, NamedPage, PageName, PageReference } from "@voda/proto/wire";
import type {
  AbandonReason,
  CallHead,
  CallId,
  Failure,
  Recalled,
  Send,
  StepAnswer,
  StepDoneMessage,
  StepMessage,
} from "../call/index.ts";
import type { TurnMessage } from "../turn/index.ts";

/** One life of a node under one lease: 128 random bits, 32 characters of lower-case hex. */
export type Incarnation = string;

/** A record as it lies in the stream. */
export interface StoredRecord {
  readonly seq: number;
  /** When the store accepted it, by its clock: milliseconds since 1970. */
  readonly atMs: number;
  readonly bytes: Uint8Array;
}

/** A message that leaves with the record it stands in. */
export interface Letter extends Send {
  /** Numbers of one life of a session ascend from 1. */
  readonly n: number;
  /** When its record was made, by the store's clock: milliseconds since 1970. */
  readonly atMs: number;
}

/**
 * What an activation starts from: the pages of a snapshot in order (none: empty state), then the deltas of
 * the turns after it.
 */
export interface Image {
  readonly pages: readonly Uint8Array[];
  readonly deltas: readonly Uint8Array[];
  /** Whoever had it last has put it to sleep: nobody's end took it out of memory. */
  readonly isReleased: boolean;
}

/** What is known of the lease of an incarnation. */
export type Standing =
  /** Its lease may live: nobody may claim over it. */
  | { readonly type: "living" }
  /** Proved by its expiry marker or an obituary. `successor` lives and keeps its sessions in memory. */
  | { readonly type: "ended"; readonly successor: Incarnation | undefined };

/**
 * The node at the instant of a pass. The host makes it fresh for every event: times read before the event
 * arrived would be those of before a pause. Functions answer from memory.
 */
export interface World {
  /**
   * The store's clock, as the node estimates it: milliseconds since 1970. For ages of what is stored, and
   * nothing else.
   */
  readonly storeMs: number;
  readonly monotonicMs: number;
  /** The node's own, current one. */
  readonly incarnation: Incarnation;
  /**
   * Whether the own lease is valid, computed from both clocks now (PROTOCOL.md 5.7), never a flag that a
   * timer clears.
   */
  leaseValid(): boolean;
  standing(incarnation: Incarnation): Standing;
  /** Whether its process was closed in order: nothing that ran there has ended it. */
  wasClosed(incarnation: Incarnation): boolean;
  /**
   * A number that this process never gave out before: activations, records and reads are told apart by it.
   */
  unique(): number;
  /** 16 random bytes for a session that is born. */
  birth(): Uint8Array;
}

/**
 * `append`: the record in flight is due again. `wake`: a pause of waking is over. `fold`: a fold that failed
 * may be tried again. `outbox`: a letter may go again, or a
 * timer is due.
 */
export type LaneTimer = "append" | "wake" | "fold" | "outbox";

/**
 * An event carries everything that happened; replies of the store name the `token` of the effect that asked.
 * The host delivers events of one lane in the order in which they happened.
 */
export type LaneEvent =
  | { readonly type: "invoke"; readonly call: CallHead }
  /** An order from outside the session, answered by `done`, `fail` or `forward`. */
  | { readonly type: "control"; readonly call: CallHead }
  /**
   * The caller's deadline passed, or it went away. The host watches the deadlines of all calls that it has
   * not answered.
   */
  | { readonly type: "abandon"; readonly call: number; readonly why: AbandonReason }
  /**
   * Finish what runs, fold with release, forget. Calls that arrive meanwhile wake it again. Told by `cold`.
   */
  | { readonly type: "sleep" }
  | TurnMessage
  /**
   * The handler of call `by` asks something of another session: it makes call `call`. `requestHash`: 16 bytes
   * over what is asked; none of what is readonly.
   */
  | {
      readonly type: "ask";
      readonly activation: number;
      readonly by: number;
      readonly call: number;
      readonly requestHash: Uint8Array | undefined;
    }
  | {
      readonly type: "cut";
      readonly activation: number;
      readonly after: number;
      readonly pages: readonly HashedPage[];
    }
  | StepMessage
  | StepDoneMessage
  /** What became of the letter that went, once: it was taken, or why not. */
  | {
      readonly type: "delivered";
      readonly activation: number;
      readonly n: number;
      readonly failure: Failure | undefined;
      /** Its agent is not deployed: there is no session that could take it, or say that it does not. */
      readonly isNobodyThere: boolean;
    }
  /** Answer to `identify`: a hash over method and input; `undefined` when the input cannot be read. */
  | {
      readonly type: "identified";
      readonly activation: number;
      readonly call: number;
      readonly canonicalHash: Uint8Array | undefined;
    }
  /** The activation cannot be opened here: its calls fail with this. */
  | { readonly type: "open_failed"; readonly activation: number; readonly failure: Failure }
  /**
   * The worker of the activation is gone; its memory with it. `begun`: calls whose handlers had begun. Of the
   * calls that it had, readers and those that had not begun run again.
   */
  | {
      readonly type: "worker_lost";
      readonly activation: number;
      readonly begun: Pick<ReadonlySet<number>, "has">;
    }
  /** The append was accepted at `seq`. */
  | { readonly type: "appended"; readonly token: number; readonly seq: number }
  /** The append was refused: 10071 or 10164; neither says that it will never be in the lane. */
  | { readonly type: "refused"; readonly token: number }
  /** The append, or the bell, was not stored, and the server said why: a store that is full, for example. */
  | { readonly type: "rejected"; readonly token: number; readonly why: string }
  /**
   * Answer to `readLast`: no record when the lane is empty, no mark when none was ever written. From the
   * leader, the mark was read first.
   */
  | {
      readonly type: "last";
      readonly token: number;
      readonly record: StoredRecord | undefined;
      readonly mark: Mark | undefined;
    }
  /** Answer to `readRange` and `readAt`, ascending. */
  | { readonly type: "range"; readonly token: number; readonly records: readonly StoredRecord[] }
  /** Answer to `readTraces`. */
  | { readonly type: "traces"; readonly token: number; readonly found: Traces }
  /** Answer to `readPages`, in the order of the names; `undefined` where there is none with that hash. */
  | { readonly type: "pages"; readonly token: number; readonly pages: readonly (Uint8Array | undefined)[] }
  /** Answer to `writePages`: all of them are stored. */
  | { readonly type: "pages_written"; readonly token: number }
  /** Answer to `ring`: where it lies. */
  | { readonly type: "rung"; readonly token: number; readonly seq: number }
  /** Answer to `bury`: it is kept. */
  | { readonly type: "buried"; readonly token: number }
  /**
   * A read, or a write beside the lane, did not succeed. Every one of them is answered or fails, within
   * seconds: no answer, timeout, connection.
   */
  | { readonly type: "store_failed"; readonly token: number }
  /**
   * The connection to the store of this lane. Delivered to every lane at once, before anything else that
   * happens on the new connection; a leader election counts as down and up. Publishes that the client still
   * holds are dropped at `up: false`.
   */
  | { readonly type: "connection"; readonly up: boolean }
  /**
   * The own lease was renewed after a gap, or the node has a new incarnation, or a lease of somebody else
   * ended.
   */
  | { readonly type: "leases" }
  /** A forwarded call did not reach the other node, and so did not run there. The lane had forgotten it. */
  | { readonly type: "undelivered"; readonly call: CallHead; readonly incarnation: Incarnation }
  /** Answer to `alone`. */
  | { readonly type: "alone"; readonly call: number }
  | { readonly type: "timer"; readonly timer: LaneTimer };

/** What a lane wants done, in this order. Nothing here waits: what has an answer gets it as an event. */
export type LaneEffect =
  // to the worker, in this order
  /** `epoch`: no other activation of this session that commits anything is opened with the same number. */
  | { readonly type: "open"; readonly activation: number; readonly epoch: number; readonly image: Image }
  /** Before its `run`: the call ran before, and must draw again what it drew then. */
  | {
      readonly type: "recall";
      readonly activation: number;
      readonly call: number;
      readonly recalled: Recalled;
    }
  | { readonly type: "run"; readonly activation: number; readonly call: number }
  /** What becomes of a step that a handler wants to do, or has done. */
  | {
      readonly type: "answerStep";
      readonly activation: number;
      readonly step: number;
      readonly answer: StepAnswer;
    }
  | {
      readonly type: "cancel";
      readonly activation: number;
      readonly call: number;
      readonly why: AbandonReason;
    }
  /** Say what the call means, however it is written: answered by the event `identified`. It does not run. */
  | { readonly type: "identify"; readonly activation: number; readonly call: number }
  /** Ask for a snapshot: answered by the event `cut`. */
  | { readonly type: "cut"; readonly activation: number }
  | { readonly type: "close"; readonly activation: number }
  /**
   * For the worker's books: so much more of the outbox and of the timers is there than it knows, or less
   * where a number is negative.
   */
  | {
      readonly type: "outbox";
      readonly activation: number;
      readonly messages: number;
      readonly timers: number;
      readonly bytes: number;
    }
  // for other sessions; each ask gets exactly one of these
  /** It may leave, under this id; none of what is readonly. */
  | { readonly type: "ask"; readonly call: number; readonly id: CallId | undefined }
  | { readonly type: "refuseAsk"; readonly call: number; readonly failure: Failure }
  /** Call the letter's handler, as from `source`: answered by the event `delivered`. */
  | {
      readonly type: "deliver";
      readonly activation: number;
      readonly source: Uint8Array;
      readonly letter: Letter;
      /** It is given up: unless it was taken, it never will be; then the answer is `not_taken`. */
      readonly isGivenUp: boolean;
      /** It may have been on its way when a node ended. */
      readonly isSuspect: boolean;
    }
  // to callers; each call gets exactly one of these
  /** The answer as the worker encoded it. `n` and `uid` make the token for reading one's writes. */
  | {
      readonly type: "reply";
      readonly call: number;
      readonly answer: Uint8Array;
      readonly n: number;
      readonly uid: Uint8Array;
    }
  | { readonly type: "fail"; readonly call: number; readonly failure: Failure }
  /**
   * Pass the call on, unchanged, with one more hop; its answer goes to the caller without the lane.
   * `mayHaveBegun`: its handler, here or before it came here.
   */
  | {
      readonly type: "forward";
      readonly call: number;
      readonly incarnation: Incarnation;
      readonly mayHaveBegun: boolean;
    }
  /**
   * Answered by the event `alone` once no other call for which it was asked runs on this node, or that one
   * has for long enough: it may be what ends nodes.
   */
  | { readonly type: "alone"; readonly activation: number; readonly call: number }
  /** The call that was to run alone does not run any more, or will not. */
  | { readonly type: "endAlone"; readonly call: number }
  /** The control call is carried out. */
  | { readonly type: "done"; readonly call: number }
  // to the store
  /**
   * Publish to `.d.p` with the last sequence of `.d.*` expected to be `expect`. `gone`: with rollup and a TTL
   * of `tombstoneMs`.
   */
  | {
      readonly type: "append";
      readonly token: number;
      readonly expect: number;
      readonly bytes: Uint8Array;
      readonly gone: boolean;
    }
  /** The last record of `.d.*`. `leader`: not from a follower. */
  | { readonly type: "readLast"; readonly token: number; readonly leader: boolean }
  /** Records of `.d.*` with a sequence of at least `from`. `limit`: that many are enough. */
  | {
      readonly type: "readRange";
      readonly token: number;
      readonly from: number;
      readonly leader: boolean;
      readonly limit: number | undefined;
    }
  /** Records of `.d.*` at those sequences, from any replica; what lies elsewhere is left out. */
  | { readonly type: "readAt"; readonly token: number; readonly seqs: readonly number[] }
  /**
   * From the leader: whether the session has a name record and then whether its lane has any record, in this
   * order.
   */
  | { readonly type: "readTraces"; readonly token: number }
  /** A page with another hash counts as missing. */
  | {
      readonly type: "readPages";
      readonly token: number;
      readonly names: readonly PageReference[];
    }
  | {
      readonly type: "writePages";
      readonly token: number;
      readonly pages: readonly NamedPage[];
    }
  /**
   * Beside the lane: as long as it is there, somebody wakes the session if nobody has it, at that time by the
   * store's clock or later.
   */
  | { readonly type: "ring"; readonly token: number; readonly dueMs: number }
  /** What was rung up to that sequence is over. Not awaited. */
  | { readonly type: "unring"; readonly seq: number }
  /** Beside the lane: the letter is given up, and kept for people. The same one may come twice. */
  | {
      readonly type: "bury";
      readonly token: number;
      readonly source: Uint8Array;
      readonly letter: Letter;
      readonly failure: Failure;
      readonly attempts: number;
    }
  /**
   * The record lies in the lane: whoever wakes the session later must find it. Not awaited; `isUrgent`: the
   * session may be elsewhere at once, or the record is known to be lost.
   */
  | { readonly type: "mark"; readonly mark: Mark; readonly isUrgent: boolean }
  /** Purge `.d.p` below the absolute sequence. Not awaited. */
  | { readonly type: "trim"; readonly below: number }
  /**
   * The same, in `inMs`, and only if the leader then says that the record with this hash is still the last of
   * the lane: a sequence may be given out again. Whoever forgets it costs space, until the session wakes.
   */
  | {
      readonly type: "trimAsleep";
      readonly below: number;
      readonly hash: Uint8Array;
      readonly inMs: number;
    }
  /** Not awaited: a page that stays is garbage and harms nobody. */
  | { readonly type: "deletePages"; readonly names: readonly PageName[] }
  // to the host
  /**
   * A timer of that name at that monotonic time, instead of the one before. One that comes early or late does
   * no harm.
   */
  | { readonly type: "timer"; readonly timer: LaneTimer; readonly atMs: number }
  /**
   * The session is in memory here and its claim is durable. `born`: it is new. `isNamed`: its name record is
   * surely there; who had it before may have ended before it wrote that.
   */
  | { readonly type: "owned"; readonly epoch: number; readonly born: boolean; readonly isNamed: boolean }
  /** Nothing is in memory. The lane may be thrown away if `isIdle` says so. */
  | { readonly type: "cold"; readonly why: ColdReason }
  | { readonly type: "incident"; readonly incident: Incident; readonly message: string };

/**
 * released: a fold with release is accepted, anybody may wake it. ended: deleted. dropped: the memory went,
 * the lane is as it was. fenced: a record of another writer is the last, or ours is gone.
 */
export type ColdReason = "released" | "ended" | "dropped" | "fenced";

/** What an operator must see: the host logs it as an error with the session's name. */
export type Incident =
  /** Records that were acknowledged are not in the lane any more. */
  | "data_loss"
  /** A record of a lost branch was skipped. */
  | "void_record"
  /** The lane cannot be read: nothing is served. */
  | "corrupt"
  /** A later version of voda wrote it: nothing is served here. */
  | "unsupported_format";

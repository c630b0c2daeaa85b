import { randomBytes } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type ClockDoubt, StoreClock, storeErrorMsMax } from "@voda/net";
import type { CapacitySchema } from "@voda/proto/node";
import type { Clock } from "@voda/stdx";
import type { Logger } from "pino";
import type { AppendOutcome, Commit } from "../commit/index.ts";
import { directBatch, fromLeader, type Requests, StoreError } from "../nats/index.ts";
import { type Identity, NoteError } from "./identity.ts";
import {
  decodeEntry,
  encodeLease,
  incarnationOf,
  type LeaseValue,
  leaseFence,
  leaseSubject,
  leaseSubjects,
  nodesStream,
  unknownNode,
} from "./lease-key.ts";
import { type Ended, type Member, Roster } from "./roster.ts";
import { type Instant, instantOf, LeaseWindow, leaseRenewMs, leaseTtlMs } from "./window.ts";

/** Told after the fact, inside the step that found it: the getters say the new state already. */
export type MembershipEvent =
  /**
   * The own lease ended and the node has a new incarnation: what it owned is held, and claimed anew by the
   * next append.
   */
  | { readonly type: "lapsed"; readonly ended: string; readonly incarnation: string }
  /** The own lease counts again after a gap, without having ended. */
  | { readonly type: "renewed" }
  /** Somebody's lease began or ended. */
  | { readonly type: "changed" };

/** The node's own lease, and what it knows of the others'. */
export interface Membership extends AsyncDisposable {
  /** The current one; it changes when the lease lapses. */
  incarnation(): string;
  /**
   * Computed from both clocks at this call: how long the own lease is still certain to live; 0 if it is not,
   * and while the node does not know the store's time.
   */
  leaseLeftMs(): number;
  /**
   * Milliseconds since 1970 by the store's clock at a monotonic time, as this node knows it: the same on all
   * nodes, to `storeErrorMsMax` each while their leases count. It does not follow the node's own wall clock.
   */
  storeMs(monotonicMs: number): number;
  /** From memory. */
  ended(incarnation: string): Ended;
  /** The living incarnation that has the sessions of an ended one in memory, as `held`. */
  successor(incarnation: string): Member | undefined;
  /** Whether the last life of its process said itself that it ends, as it does when it is closed. */
  wasClosed(incarnation: string): boolean;
  /** Where a living incarnation is. */
  member(incarnation: string): Member | undefined;
  members(): Member[];
  /** Ends the incarnation's lease for ever, if it has none any more. Whether it has ended. */
  prove(incarnation: string): Promise<boolean>;
  onEvent(listener: (event: MembershipEvent) => void): () => void;
}

/** What a lease says of the node, and where it is kept. */
export interface MembershipOptions {
  readonly requests: Requests;
  readonly commit: Commit;
  readonly clock: Clock;
  readonly identity: Identity;
  readonly node: string;
  /** `ip:port` of the node's ingress. */
  readonly ingress: string;
  readonly zone: string;
  readonly capacity: MessageInitShape<typeof CapacitySchema>;
  readonly log: Pick<Logger, "error" | "warn">;
}

/** A lease or an obituary that is written over what has the sequence `expect`. */
interface LeaseAppend {
  readonly node: string;
  readonly incarnation: string;
  readonly expect: number;
  readonly payload: Uint8Array;
  readonly ttlSeconds: number;
}

/**
 * How long an obituary stays for those who were away; who comes later finds nothing, and proves the end anew.
 */
const obituaryTtlSeconds = 24 * 60 * 60;
/** Sends of a first lease or an obituary until it counts as failed: the store answers each within 2 s. */
const attemptsMax = 5;
/**
 * News are fetched, not pushed: a pushed watch that loses its server says so only after many seconds, and is
 * made again with several requests.
 */
const watchMs = 200;
const watchBatch = 1_000;
/** A wall clock further from the store's than this is not kept by NTP; nothing relies on it. */
const wallErrorMsMax = 1_000;

/** @throws when the first lease cannot be made */
export async function openMembership(options: MembershipOptions): Promise<Membership> {
  const membership = new LeasedMembership(options);
  try {
    await membership.begin();
  } catch (error) {
    await membership[Symbol.asyncDispose]();
    throw error;
  }
  return membership;
}

class LeasedMembership implements Membership {
  readonly #options: MembershipOptions;
  readonly #window = new LeaseWindow();
  readonly #storeClock = new StoreClock();
  readonly #roster = new Roster();
  readonly #listeners = new Set<(event: MembershipEvent) => void>();
  readonly #stopListening: () => void;
  readonly #closing = new AbortController();
  #incarnation = "";
  #revision = 0;
  #renewing: Promise<void> = Promise.resolve();
  #watching: Promise<void> = Promise.resolve();
  /** Sequence of the first entry that is news. */
  #news = 1;
  /** The last renewal by its acknowledgement, and by the news: together they read the store's clock. */
  #acked: { readonly seq: number; readonly sentAtMs: number; readonly ackedAtMs: number } | undefined;
  #stored: { readonly seq: number; readonly atMs: number } | undefined;
  #isDoubted = false;
  #isWallOff = false;
  #isUnnoted = false;
  /** Ends the pause before the next renewal. */
  #renewNow: () => void = () => undefined;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#stopListening = options.requests.connection.onEvent(({ type }) => {
      // the server may have lost entries, and give their sequences out again
      this.#news = 1;
      this.#acked = undefined;
      this.#stored = undefined;
      if (type === "reconnected") this.#renewNow();
    });
  }

  /**
   * A process that ran before on this data directory is dead, since we have its lock: its sessions need not
   * wait for its lease.
   */
  async begin(): Promise<void> {
    const { identity } = this.#options;
    const previous = identity.previous();
    // the lock says that its process is dead; the lease may live for 3 s more, and would keep its sessions
    // from this one
    if (previous !== undefined && !(await this.#bury(previous, "died"))) {
      throw new Error(
        `the lease of the node's last incarnation ${previous} could not be ended: is NATS there?`,
      );
    }
    await this.#register("");
    await this.#fetchNews();
    this.#watching = this.#watch();
    this.#renewing = this.#renew();
    // the first reading takes an acknowledged renewal and its news: until then no lease counts
    while (!this.#storeClock.isSet && (await this.#pause(watchMs)));
  }

  incarnation(): string {
    return this.#incarnation;
  }

  leaseLeftMs(): number {
    const now = instantOf(this.#options.clock);
    return this.#storeClock.isSure(now.monotonicMs) ? this.#window.leftMs(now) : 0;
  }

  storeMs(monotonicMs: number): number {
    return this.#storeClock.storeMs(monotonicMs);
  }

  ended(incarnation: string): Ended {
    return this.#roster.ended(incarnation, this.#options.clock.monotonicMs());
  }

  successor(incarnation: string): Member | undefined {
    return this.#roster.successor(incarnation, this.#options.clock.monotonicMs());
  }

  wasClosed(incarnation: string): boolean {
    return this.#roster.wasClosed(incarnation);
  }

  member(incarnation: string): Member | undefined {
    return this.#roster.member(incarnation, this.#options.clock.monotonicMs());
  }

  members(): Member[] {
    return this.#roster.members(this.#options.clock.monotonicMs());
  }

  async prove(incarnation: string): Promise<boolean> {
    if (this.ended(incarnation) === "yes") return true;
    if (incarnation === this.#incarnation) return false;
    return this.#bury(incarnation, "proved");
  }

  onEvent(listener: (event: MembershipEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends the own lease, so that its sessions are free at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    // the window first: from here on nothing may rely on the lease, however long the rest takes
    this.#closing.abort();
    this.#window.close();
    this.#stopListening();
    await Promise.all([this.#renewing, this.#watching]);
    if (this.#revision > 0 && this.#options.requests.connection.isUp())
      await this.#bury(this.#incarnation, "closed");
  }

  /** Takes a new incarnation, whose lease exists when this returns. @throws NoteError, StoreError */
  async #register(succeeds: string): Promise<void> {
    const incarnation = randomBytes(16).toString("hex");
    // before the lease exists: a process that dies in between leaves a name that the next one can bury
    this.#options.identity.note(incarnation);
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      const sentAt = instantOf(this.#options.clock);
      const outcome = await this.#put(incarnation, succeeds, 0);
      // an attempt whose answer was lost may have made it
      const revision = outcome.type === "acked" ? outcome.seq : await this.#revisionOf(incarnation);
      if (revision === undefined) continue;
      this.#incarnation = incarnation;
      this.#revision = revision;
      // one that was only found counts from the next renewal on: nobody knows when it was stored
      if (outcome.type === "acked") this.#renewed(sentAt, outcome.seq);
      return;
    }
    throw new StoreError(
      `the lease of node ${this.#options.node} could not be made: is NATS there, and its stream ${nodesStream}?`,
    );
  }

  /**
   * One renewal each second until the end, and one as soon as the connection is back: the lease may not live
   * for another second. Nobody else changes it but to end it.
   */
  async #renew(): Promise<void> {
    let succeeds = "";
    let pauseMs = leaseRenewMs;
    while (await this.#pause(pauseMs, (wake) => (this.#renewNow = wake))) {
      pauseMs = leaseRenewMs;
      const sentAt = instantOf(this.#options.clock);
      const outcome = await this.#put(this.#incarnation, succeeds, this.#revision);
      if (this.#closing.signal.aborted) return;
      if (outcome.type === "acked") {
        this.#revision = outcome.seq;
        this.#renewed(sentAt, outcome.seq);
        // no answer is no news: the next renewal expects the same revision, and is refused if this one came
        // through
      } else if (outcome.type === "refused") {
        const before = this.#revision;
        succeeds = await this.#settle(succeeds);
        // nobody knows when the one that was found was stored: it opens no window
        if (this.#revision !== before) pauseMs = 0;
      }
    }
  }

  #renewed(sentAt: Instant, seq: number): void {
    const ackedAtMs = this.#options.clock.monotonicMs();
    this.#acked = { seq, sentAtMs: sentAt.monotonicMs, ackedAtMs };
    this.#emitIfRenewed(() => {
      this.#window.renewed(sentAt);
      this.#readClock();
    });
  }

  /** Once the renewal's acknowledgement and its news are both there, in whichever order they came. */
  #readClock(): void {
    const [acked, stored] = [this.#acked, this.#stored];
    if (acked === undefined || acked.seq !== stored?.seq) return;
    this.#acked = undefined;
    // the store's time of one message, between the sending and the acknowledgement of the same one
    const doubt = this.#storeClock.read({ ...acked, storedAtMs: stored.atMs });
    const { log } = this.#options;
    // said once: a clock that is off stays so for minutes
    if (doubt !== undefined && !this.#isDoubted) log.error({ doubt }, sayDoubt(doubt));
    this.#isDoubted = doubt !== undefined;
    if (doubt === undefined) this.#compareWall();
  }

  /** Only with a time of the store that counts: while it jumps, the wall clock is not what is wrong. */
  #compareWall(): void {
    const { log, clock } = this.#options;
    const aheadMs = Math.round(clock.wallMs() - this.storeMs(clock.monotonicMs()));
    const isWallOff = Math.abs(aheadMs) > wallErrorMsMax;
    if (isWallOff && !this.#isWallOff) log.warn({ aheadMs, wallErrorMsMax }, wallIsOff);
    this.#isWallOff = isWallOff;
  }

  #emitIfRenewed(act: () => void): void {
    const wasValid = this.leaseLeftMs() > 0;
    act();
    if (!wasValid && this.leaseLeftMs() > 0) this.#emit({ type: "renewed" });
  }

  /**
   * A renewal was refused: an earlier one, whose answer was lost, is in the store, or the lease has ended.
   */
  async #settle(succeeds: string): Promise<string> {
    const ended = this.#incarnation;
    const found = await this.#read(ended);
    // nothing is known: the window closes by itself
    if (found === "away") return succeeds;
    if (found !== undefined && found.entry.type === "lease") {
      this.#revision = found.seq;
      return succeeds;
    }
    this.#window.close();
    try {
      await this.#register(ended);
    } catch (error) {
      this.#sayUnnoted(error);
      return succeeds; // the next renewal is refused again and leads back here
    }
    this.#isUnnoted = false;
    this.#roster.end(ended, false);
    this.#emit({ type: "lapsed", ended, incarnation: this.#incarnation });
    return ended;
  }

  /** Once for a folder: it is tried each second. @throws what is neither the folder's nor the store's */
  #sayUnnoted(error: unknown): void {
    if (error instanceof StoreError) return; // its connection tells of itself
    if (!(error instanceof NoteError)) throw error;
    if (!this.#isUnnoted) this.#options.log.error({ err: error }, folderIsShut);
    this.#isUnnoted = true;
  }

  #put(incarnation: string, succeeds: string, expect: number): Promise<AppendOutcome> {
    const { node, ingress, zone, capacity } = this.#options;
    const payload = encodeLease({ node, incarnation, succeeds, ingress, zone, capacity, pid: process.pid });
    return this.#append({ node, incarnation, expect, payload, ttlSeconds: leaseTtlMs / 1_000 });
  }

  #append({ node, incarnation, ...what }: LeaseAppend): Promise<AppendOutcome> {
    const append = {
      subject: leaseSubject(node, incarnation),
      fence: leaseFence(incarnation),
      ...what,
    };
    return new Promise((resolve) => this.#options.commit.append(append, resolve));
  }

  /**
   * Writes an obituary: over our own lease, or that of the process before us, or where no lease is; then it
   * proves that none is on its way. Whether the incarnation has ended.
   */
  async #bury(incarnation: string, why: "closed" | "died" | "proved"): Promise<boolean> {
    const isOurs = why !== "proved";
    const node = this.member(incarnation)?.node ?? (isOurs ? this.#options.node : unknownNode);
    const payload = encodeLease({ node, incarnation, dead: true, closed: why === "closed" });
    const ttlSeconds = obituaryTtlSeconds;
    let expect = 0;
    for (let attempt = 0; attempt < attemptsMax && this.#options.requests.connection.isUp(); attempt += 1) {
      const outcome = await this.#append({ node, incarnation, expect, payload, ttlSeconds });
      if (outcome.type === "acked") return this.#ended(incarnation, why === "closed");
      if (outcome.type !== "refused") continue;
      const found = await this.#read(incarnation);
      if (found === "away") continue;
      if (found?.entry.type === "ended") return this.#ended(incarnation, found.entry.isClosed);
      if (found !== undefined && !isOurs) return false;
      expect = found?.seq ?? 0;
    }
    return false;
  }

  #ended(incarnation: string, isClosed: boolean): true {
    if (this.#roster.end(incarnation, isClosed)) this.#emit({ type: "changed" });
    return true;
  }

  async #revisionOf(incarnation: string): Promise<number | undefined> {
    const found = await this.#read(incarnation);
    return found !== "away" && found?.entry.type === "lease" ? found.seq : undefined;
  }

  async #read(incarnation: string): Promise<{ seq: number; entry: LeaseValue } | "away" | undefined> {
    try {
      const last = await fromLeader(this.#options.requests, nodesStream, {
        last_by_subj: leaseFence(incarnation),
      });
      return last === undefined ? undefined : { seq: last.seq, entry: decodeEntry(last.bytes) };
    } catch (error) {
      if (error instanceof StoreError) return "away";
      throw error;
    }
  }

  /** Every `watchMs`, from the last entry that was seen. An error leaves `#news` where it is. */
  async #watch(): Promise<void> {
    while (await this.#pause(watchMs)) await this.#fetchNews();
  }

  async #fetchNews(): Promise<void> {
    const { requests, clock, node } = this.#options;
    const mine = leaseSubject(node, this.#incarnation);
    let changed = false;
    try {
      // after a reconnect the whole bucket comes again: the roster takes an entry twice without harm
      for (let more = true; more; ) {
        const batch = await directBatch(requests, {
          stream: nodesStream,
          filter: leaseSubjects,
          seq: this.#news,
          count: watchBatch,
        });
        for (const { seq, subject, atMs, bytes } of batch.messages) {
          if (subject === mine) this.#stored = { seq, atMs };
          if (this.#roster.apply(incarnationOf(subject), decodeEntry(bytes), clock.monotonicMs()))
            changed = true;
        }
        this.#news = (batch.messages.at(-1)?.seq ?? this.#news - 1) + 1;
        more = batch.more;
      }
      this.#emitIfRenewed(() => this.#readClock());
    } catch (error) {
      if (!(error instanceof StoreError)) throw error; // the store is away: the next time has the news
    }
    if (changed) this.#emit({ type: "changed" });
  }

  #emit(event: MembershipEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** False when the membership is closing. `onPause` gets the way to end it early. */
  async #pause(ms: number, onPause?: (end: () => void) => void): Promise<boolean> {
    const { signal } = this.#closing;
    if (signal.aborted) return false;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener("abort", done);
      onPause?.(done);
    });
    return !signal.aborted;
  }
}

const folderIsShut =
  "the node's lease has ended, and its data folder takes no new incarnation: the node serves nothing until it does, " +
  "and tries each second; make room there, or mend the folder's rights";
const wallIsOff =
  "the node's wall clock is far from that of the NATS server; sessions do not rely on it, logs and certificates do: " +
  "run NTP on both machines";

function sayDoubt(doubt: ClockDoubt): string {
  const then = "reads wait until two readings agree";
  return doubt.type === "jumped"
    ? `the NATS server's clock jumped by ${Math.round(doubt.jumpMs)} ms against the node's monotonic clock, ` +
        `more than storeErrorMsMax ${storeErrorMsMax}; ${then}: unless a machine was suspended, let NTP slew the server's clock`
    : `renewals of the lease take ${Math.round(doubt.roundTripMs)} ms, too long to know the NATS server's clock ` +
        `to storeErrorMsMax ${storeErrorMsMax} ms; ${then}: look at the load of the server and the network`;
}

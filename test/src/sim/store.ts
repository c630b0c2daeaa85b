// One lane of a simulated JetStream stream: compare-and-set on its last sequence, gaps, absolute purges,
// proposals that are under way, followers that lag, pages; and what a power loss takes.
import { crc32 } from "node:zlib";
import { hash16 } from "@voda/proto/hash16";
import type { PageName } from "@voda/proto/wire";
import { decodeRecord, type LaneRecord, type StoredRecord } from "../../../dataplane/src/lane/index.ts";
import type { Journals } from "../../../dataplane/src/lane/journals.ts";
import { decodeStored, replay } from "../../../dataplane/src/lane/replay.ts";
import type { AppendedRecord } from "../../../dataplane/src/reactor/index.ts";
import { firstVersion, follow, opOf, type Version, Violation } from "./checks.ts";
import { storeWallMs } from "./clocks.ts";
import type { Clockwork } from "./clockwork.ts";
import { SimMarks } from "./marks.ts";
import type { FaultPlan } from "./options.ts";

interface Row extends StoredRecord {
  readonly acceptedAtMs: number;
  /** Number of versions without this record. */
  readonly before: number;
  readonly gone: boolean;
}

export interface SimBell {
  readonly seq: number;
  readonly incarnation: string;
  readonly dueMs: number;
}

export interface StoreOptions {
  readonly plan: FaultPlan;
  readonly clockwork: Clockwork;
  /** Hears how many versions are left before the others go. */
  readonly onLoss: (left: number) => void;
  /** Whether the operation may happen twice: whoever had it done has forgotten it. */
  readonly mayRepeat: (operation: number) => boolean;
  /** Hears of each record that is accepted, and of the operations that it commits. */
  readonly onAccepted: (record: LaneRecord, operations: readonly number[]) => void;
  /** Hears of each whose letter was given up. */
  readonly onBuried: (operation: number) => void;
}

const pageText = (name: PageName): string => `${name.epoch}.${name.index}`;
/** So far apart that some tails are read one by one, and others at once. */
const farSeqs = 300;
const utf8 = new TextDecoder();
/** A result begins with its step. */
const stepIn = (result: string): string => result.slice(0, result.indexOf(" "));
const occasionOf = {
  turns: "a record with turns is accepted",
  fold: "a fold is accepted",
  gone: "a tombstone is accepted",
} as const;

export class SimStore {
  readonly #options: StoreOptions;
  #rows: Row[] = [];
  #versions: Version[] = [firstVersion];
  #lastSeq = 0;
  #proposal: AppendedRecord | undefined;
  #life = 1;
  #isUp = true;
  #bells = 0;
  #stoppedAtMs = 0;
  #fullUntilMs = 0;
  readonly #pages = new Map<string, Uint8Array>();
  readonly marks: SimMarks;
  #bell: SimBell | undefined;
  /** Results of steps that the lane has of this life of the session, by step. */
  readonly journal = new Map<string, { readonly result: string; readonly expiresAtMs: number }>();
  /** All that it ever had. */
  readonly results = new Set<string>();
  /** How often the session was deleted. */
  lives = 0;
  /** Operations whose letters were given up; below 0: those to nobody. */
  readonly graves = new Set<number>();
  /** Those of them of which a record tells. */
  readonly #said = new Set<number>();

  constructor(options: StoreOptions) {
    this.#options = options;
    this.marks = new SimMarks(options.clockwork);
  }

  get versions(): readonly Version[] {
    return this.#versions;
  }

  /** Changes with every start of the server: nothing sent to the one before arrives. */
  get life(): number {
    return this.#life;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  append(append: AppendedRecord, answer: (seq: number | "refused" | "full") => void): void {
    const { plan, clockwork } = this.#options;
    if (clockwork.nowMs < this.#fullUntilMs) {
      clockwork.meet("an append is refused for want of room");
      return answer("full");
    }
    // 10071: it moved; 10164: another proposal is on its way
    if (append.expect !== this.#tipSeq || this.#proposal !== undefined) {
      clockwork.meet("an append is refused");
      return answer("refused");
    }
    if (!clockwork.random.chance(plan.faults.busyRefusals)) return answer(this.#accept(append));
    clockwork.meet("a proposal is under way");
    this.#proposal = append;
    const bornIn = this.#life;
    clockwork.after(clockwork.random.below(40), () => {
      if (bornIn !== this.#life) return;
      this.#proposal = undefined;
      answer(this.#accept(append));
    });
  }

  last(leader: boolean): StoredRecord | undefined {
    return this.#seenBy(leader).at(-1);
  }

  range(from: number, leader: boolean, limit: number | undefined): StoredRecord[] {
    return this.#seenBy(leader)
      .filter((row) => row.seq >= from)
      .slice(0, limit);
  }

  recordsAt(seqs: readonly number[]): StoredRecord[] {
    this.#options.clockwork.meet("records are read one by one");
    return this.#seenBy(false).filter(({ seq }) => seqs.includes(seq));
  }

  /** What a leader has of the session; it has no name record. */
  traces(): "nothing" | "records" {
    return this.#rows.length > 0 ? "records" : "nothing";
  }

  get bell(): SimBell | undefined {
    return this.#bell;
  }

  ring({ incarnation, dueMs }: Omit<SimBell, "seq">): number | "full" {
    const { nowMs } = this.#options.clockwork;
    if (nowMs < this.#fullUntilMs) return "full";
    this.#bells += 1;
    const seq = this.#bells;
    this.#bell = { seq, incarnation, dueMs };
    this.#options.clockwork.say(`store: bell ${seq} of ${incarnation.slice(0, 4)} rings`);
    return seq;
  }

  unring(seq: number): void {
    if (this.#bell !== undefined && this.#bell.seq <= seq) this.#bell = undefined;
  }

  bury(operation: number): number | undefined {
    if (this.graves.has(operation)) return undefined;
    this.#options.clockwork.meet("a letter is given up");
    this.graves.add(operation);
    this.#options.onBuried(operation);
    return this.graves.size;
  }

  /** A record is accepted whose writer knew that they are given up: people may drop them from here on. */
  say(operations: readonly number[]): void {
    for (const operation of operations) this.#said.add(operation);
  }

  /** An operator lets the session go on from what is there. */
  acceptLoss(): void {
    this.marks.acceptLoss(this.#lane());
  }

  purge(below: number): void {
    const { clockwork } = this.#options;
    const before = this.#rows.length;
    this.#rows = this.#rows.filter((row) => row.seq >= below);
    const count = before - this.#rows.length;
    clockwork.say(`store: purge below ${below}, ${count} records go`);
    if (count > 0) clockwork.meet("a trim takes records");
    this.#checkWaker();
  }

  readPage(name: PageName): Uint8Array | undefined {
    return this.#pages.get(pageText(name));
  }

  writePage(name: PageName, bytes: Uint8Array): void {
    this.#options.clockwork.meet("a fold stores its pages");
    this.#pages.set(pageText(name), bytes);
  }

  deletePage(name: PageName): void {
    this.#pages.delete(pageText(name));
    this.#checkWaker();
  }

  /** It takes nothing for that long. */
  fill(ms: number): void {
    const { clockwork } = this.#options;
    clockwork.say(`store: full for ${ms} ms`);
    this.#fullUntilMs = clockwork.nowMs + ms;
  }

  stop(): void {
    this.#isUp = false;
    this.#stoppedAtMs = this.#options.clockwork.nowMs;
    this.#life += 1;
    this.#proposal = undefined;
  }

  /** `lossy`: the power was cut, and what was not synced may be gone. */
  start(lossy: boolean): void {
    const { plan, clockwork, onLoss } = this.#options;
    this.#isUp = true;
    if (!lossy) return;
    const syncedMs = this.#stoppedAtMs - plan.storeSyncMs;
    const unsynced = this.#rows.filter((row) => row.acceptedAtMs > syncedMs).length;
    const gone = clockwork.random.below(unsynced + 1);
    if (gone === 0) return;
    const before = this.#lane();
    this.#said.clear();
    const first = this.#rows[this.#rows.length - gone];
    this.#rows = this.#rows.slice(0, this.#rows.length - gone);
    // what a tombstone had rolled up does not come back without it: the lane starts over
    const left = first === undefined || first.gone ? 1 : first.before;
    onLoss(left);
    this.#versions = this.#versions.slice(0, left);
    this.#lastSeq = this.#tipSeq;
    this.marks.lose(syncedMs, { before, after: this.#lane() });
    clockwork.say(`store: ${gone} records are lost, the last is at ${this.#lastSeq}`);
    clockwork.meet("the power takes records");
    this.#checkWaker();
  }

  #lane(): { readonly seq: number; readonly hash: Uint8Array }[] {
    return this.#rows.map(({ seq, bytes }) => ({ seq, hash: hash16(bytes) }));
  }

  get #tipSeq(): number {
    return this.#rows.at(-1)?.seq ?? 0;
  }

  #accept({ bytes, gone }: AppendedRecord): number {
    const { clockwork, onAccepted, mayRepeat } = this.#options;
    const { random } = clockwork;
    this.marks.checkAppend(this.#tipSeq);
    const record = decodeRecord(bytes, crc32);
    const before = this.#versions.length;
    this.#versions.push(...follow(this.#versions.at(-1) ?? firstVersion, record, bytes, mayRepeat));
    this.#lastSeq += 1 + (random.chance(0.2) ? random.below(4) * farSeqs : 0);
    if (gone) this.#rows = [];
    this.#note(record);
    const [seq, acceptedAtMs] = [this.#lastSeq, clockwork.nowMs];
    const atMs = storeWallMs + Math.floor(acceptedAtMs);
    this.#rows.push({ seq, bytes, atMs, acceptedAtMs, before, gone });
    const who = `${record.rid.incarnation.slice(0, 4)}.${record.rid.counter}`;
    const effects = this.#versions.at(-1)?.effects.join(" ");
    clockwork.say(`store: ${record.type} ${who} accepted at ${seq}, epoch ${record.epoch}: ${effects}`);
    clockwork.meet(occasionOf[record.type]);
    const { letters = [] } = record.type === "fold" ? (record.outbox ?? {}) : {};
    if (record.type === "fold" && record.released && letters.length > 0)
      clockwork.meet("a session sleeps with letters");
    onAccepted(
      record,
      this.#versions.slice(before + 1).map(({ ever }) => opOf(ever.at(-1) ?? "")),
    );
    this.#checkWaker();
    return seq;
  }

  #note(record: LaneRecord): void {
    const { clockwork } = this.#options;
    if (record.type === "gone") {
      this.lives += 1;
      this.journal.clear();
      return;
    }
    for (const { result: bytes, expiresAtMs } of record.journal?.entries ?? []) {
      const result = utf8.decode(bytes);
      const step = stepIn(result);
      if (record.type === "fold" && this.#hasCommitted(step))
        throw new Violation(`the journal of ${step} outlives its turn`);
      clockwork.meet("a step is noted");
      this.results.add(result);
      const known = this.journal.get(step) ?? { result, expiresAtMs };
      if (known.result !== result) throw new Violation(`step ${step} has two results`);
      this.journal.set(step, known);
    }
  }

  #hasCommitted(step: string): boolean {
    const { ever = [] } = this.#versions.at(-1) ?? {};
    return ever.some((effect) => opOf(effect) === Number.parseInt(step, 10));
  }

  /** What is noted, its turn is not committed, and has time left. @throws Violation */
  #checkJournal(journals: Journals): void {
    const found = [...journals.turns.values()].flatMap(({ entries }) => [...entries.values()]);
    const results = new Set(found.map(({ result }) => utf8.decode(result)));
    const soonMs = storeWallMs + this.#options.clockwork.nowMs + 60_000;
    for (const [step, { result, expiresAtMs }] of this.journal)
      if (expiresAtMs > soonMs && !results.has(result) && !this.#hasCommitted(step))
        throw new Violation(`lost journal: a waker would not know of ${step}`);
  }

  /** A waker that reads now must see exactly what was committed. @throws Violation */
  #checkWaker(): void {
    const truth = (this.#versions.at(-1) ?? firstVersion).effects.join(" ");
    const seen = this.#wakerSees();
    if (seen !== truth) throw new Violation(`lost: a waker would see "${seen}", committed is "${truth}"`);
  }

  #wakerSees(): string {
    const last = this.#rows.at(-1);
    if (last === undefined) return "";
    const { from } = decodeRecord(last.bytes, crc32);
    const tail = this.#rows.filter((row) => row.seq >= Math.min(from, last.seq));
    const base = replay(tail.map((row) => decodeStored(row, crc32, hash16)));
    if (base === "gap" || base === "damaged") return `a lane with a ${base}`;
    this.#checkJournal(base.journals);
    for (const { method } of base.outbox.letters.values())
      if (this.#said.has(Number(method)))
        throw new Violation(
          `risen: letter ${method} is given up, as the lane knows, and would be sent again`,
        );
    const fold = base.fold?.record;
    const stored =
      fold === undefined
        ? []
        : (fold.inline ?? fold.table.map(({ name }) => this.#pages.get(pageText(name))));
    const found = stored.filter((page) => page !== undefined);
    if (found.length < stored.length) return "a missing page";
    const effects = found.flatMap((page): string[] => JSON.parse(utf8.decode(page)));
    return [...effects, ...base.deltas.map((delta) => utf8.decode(delta))].join(" ");
  }

  #seenBy(leader: boolean): Row[] {
    const { plan, clockwork } = this.#options;
    const { random } = clockwork;
    if (leader || !random.chance(plan.faults.staleReads)) return this.#rows;
    clockwork.meet("a follower lags");
    return this.#rows.slice(0, Math.max(0, this.#rows.length - 1 - random.below(3)));
  }
}

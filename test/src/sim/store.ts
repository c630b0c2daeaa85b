// One lane of a simulated JetStream stream: compare-and-set on its last sequence, gaps, absolute purges,
// proposals that are under way, followers that lag, pages; and what a power loss takes.
import { crc32 } from "node:zlib";
import type { PageName } from "@voda/proto/wire";
import { decodeRecord, type StoredRecord } from "../../../dataplane/src/lane/index.ts";
import { decodeStored, replay } from "../../../dataplane/src/lane/replay.ts";
import type { AppendedRecord } from "../../../dataplane/src/reactor/index.ts";
import { firstVersion, follow, hashOf, type Version, Violation } from "./checks.ts";
import type { Clockwork } from "./clockwork.ts";
import { type FaultPlan, storeSyncMs } from "./options.ts";

interface Row extends StoredRecord {
  readonly acceptedAtMs: number;
  /** Number of versions without this record. */
  readonly before: number;
  readonly gone: boolean;
}

export interface SimStore {
  readonly versions: readonly Version[];
  /** Changes with every start of the server: nothing sent to the one before arrives. */
  readonly life: number;
  readonly isUp: boolean;
  append(append: AppendedRecord, answer: (seq: number | "refused" | "full") => void): void;
  last(leader: boolean): StoredRecord | undefined;
  range(from: number, leader: boolean, limit: number | undefined): StoredRecord[];
  /** What a leader has of the session; it has no name record. */
  traces(): "nothing" | "records";
  purge(below: number): void;
  readPage(name: PageName): Uint8Array | undefined;
  writePage(name: PageName, bytes: Uint8Array): void;
  deletePage(name: PageName): void;
  /** It takes nothing for that long. */
  fill(ms: number): void;
  stop(): void;
  /** `lossy`: the power was cut, and what was not synced may be gone. Returns what is gone. */
  start(lossy: boolean): number;
}

/** What the store's clock shows when the schedule begins. */
export const storeWallMs = 1_000_000_000;

const pageText = (name: PageName): string => `${name.epoch}.${name.index}`;
const utf8 = new TextDecoder();

/** `onLoss` hears how many versions are left before the others go. */
export function createStore(plan: FaultPlan, clockwork: Clockwork, onLoss: (left: number) => void): SimStore {
  const { random } = clockwork;
  let rows: Row[] = [];
  let versions: Version[] = [firstVersion];
  let lastSeq = 0;
  let proposal: AppendedRecord | undefined;
  let life = 1;
  let isUp = true;
  let stoppedAtMs = 0;
  let fullUntilMs = 0;
  const pages = new Map<string, Uint8Array>();
  const tipSeq = (): number => rows.at(-1)?.seq ?? 0;

  function accept({ bytes, gone }: AppendedRecord): number {
    const record = decodeRecord(bytes, crc32);
    const before = versions.length;
    versions.push(...follow(versions.at(-1) ?? firstVersion, record, bytes));
    lastSeq += 1 + (random.chance(0.2) ? random.below(4) : 0);
    if (gone) rows = [];
    rows.push({
      seq: lastSeq,
      bytes,
      atMs: storeWallMs + Math.floor(clockwork.nowMs),
      acceptedAtMs: clockwork.nowMs,
      before,
      gone,
    });
    const who = `${record.rid.incarnation.slice(0, 4)}.${record.rid.counter}`;
    clockwork.say(
      `store: ${record.type} ${who} accepted at ${lastSeq}, epoch ${record.epoch}: ${versions.at(-1)?.effects.join(" ")}`,
    );
    checkWaker();
    return lastSeq;
  }

  /** A waker that reads now must see exactly what was committed. */
  function checkWaker(): void {
    const truth = (versions.at(-1) ?? firstVersion).effects.join(" ");
    const seen = wakerSees();
    if (seen !== truth) throw new Violation(`lost: a waker would see "${seen}", committed is "${truth}"`);
  }

  function wakerSees(): string {
    const last = rows.at(-1);
    if (last === undefined) return "";
    const from = decodeRecord(last.bytes, crc32).from;
    const tail = rows.filter((row) => row.seq >= Math.min(from, last.seq));
    const base = replay(tail.map((row) => decodeStored(row, crc32, hashOf)));
    if (base === "gap" || base === "damaged") return `a lane with a ${base}`;
    const fold = base.fold?.record;
    const stored =
      fold === undefined ? [] : (fold.inline ?? fold.table.map(({ name }) => pages.get(pageText(name))));
    const found = stored.filter((page) => page !== undefined);
    if (found.length < stored.length) return "a missing page";
    const effects = found.flatMap((page): string[] => JSON.parse(utf8.decode(page)));
    return [...effects, ...base.deltas.map((delta) => utf8.decode(delta))].join(" ");
  }

  function seenBy(leader: boolean): Row[] {
    if (leader || !random.chance(plan.faults.staleReads)) return rows;
    return rows.slice(0, Math.max(0, rows.length - 1 - random.below(3)));
  }

  return {
    get versions() {
      return versions;
    },
    get life() {
      return life;
    },
    get isUp() {
      return isUp;
    },
    append(append, answer) {
      // 10071: it moved; 10164: another proposal is on its way
      if (clockwork.nowMs < fullUntilMs) return answer("full");
      if (append.expect !== tipSeq() || proposal !== undefined) return answer("refused");
      if (!random.chance(plan.faults.busyRefusals)) return answer(accept(append));
      proposal = append;
      const bornIn = life;
      clockwork.after(random.below(40), () => {
        if (bornIn !== life) return;
        proposal = undefined;
        answer(accept(append));
      });
    },
    last: (leader) => seenBy(leader).at(-1),
    range(from, leader, limit) {
      return seenBy(leader)
        .filter((row) => row.seq >= from)
        .slice(0, limit);
    },
    traces: () => (rows.length > 0 ? "records" : "nothing"),
    purge(below) {
      const before = rows.length;
      rows = rows.filter((row) => row.seq >= below);
      clockwork.say(`store: purge below ${below}, ${before - rows.length} records go`);
      checkWaker();
    },
    readPage: (name) => pages.get(pageText(name)),
    writePage(name, bytes) {
      pages.set(pageText(name), bytes);
    },
    deletePage(name) {
      pages.delete(pageText(name));
      checkWaker();
    },
    fill(ms) {
      clockwork.say(`store: full for ${ms} ms`);
      fullUntilMs = clockwork.nowMs + ms;
    },
    stop() {
      isUp = false;
      stoppedAtMs = clockwork.nowMs;
      life += 1;
      proposal = undefined;
    },
    start(lossy) {
      isUp = true;
      if (!lossy) return 0;
      const unsynced = rows.filter((row) => row.acceptedAtMs > stoppedAtMs - storeSyncMs).length;
      const gone = random.below(unsynced + 1);
      if (gone === 0) return 0;
      const first = rows[rows.length - gone];
      rows = rows.slice(0, rows.length - gone);
      // what a tombstone had rolled up does not come back without it: the lane starts over
      const left = first === undefined || first.gone ? 1 : first.before;
      onLoss(left);
      versions = versions.slice(0, left);
      lastSeq = tipSeq();
      clockwork.say(`store: ${gone} records are lost, the last is at ${lastSeq}`);
      checkWaker();
      return gone;
    },
  };
}

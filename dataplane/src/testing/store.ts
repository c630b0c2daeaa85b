// What a mesh in memory has stored: lanes with compare-and-set on their last sequence, pages, marks, bells
// and dead letters.
import { type Mark, mayReplace } from "@voda/proto/mark";
import type { NamedSession, SessionName, SessionToken } from "@voda/proto/session";
import type { PageName } from "@voda/proto/wire";
import type { StoredRecord } from "../lane/index.ts";
import type { AppendedRecord, Burial } from "../reactor/index.ts";
import type { RungBell } from "../reactor/ports.ts";

/** A session that must be looked at, also when nobody calls it. */
export interface StoredBell extends RungBell {
  readonly seq: number;
}

/** A letter that nobody took, and who had sent it. */
export interface BuriedLetter extends Pick<Burial, "letter" | "failure" | "attempts"> {
  readonly from: SessionName;
}

/** Everything of one session. */
export class StoredLane {
  readonly session: NamedSession;
  readonly pages = new Map<string, Uint8Array>();
  rows: readonly StoredRecord[] = [];
  bell: StoredBell | undefined;
  #mark: Mark | undefined;
  #lastSeq = 0;

  constructor(session: NamedSession) {
    this.session = session;
  }

  get last(): StoredRecord | undefined {
    return this.rows.at(-1);
  }

  get mark(): Mark | undefined {
    return this.#mark;
  }

  /** `refused`: the lane has moved on. */
  append({ expect, bytes, gone }: AppendedRecord, atMs: number): number | "refused" {
    if (expect !== (this.last?.seq ?? 0)) return "refused";
    this.#lastSeq += 1;
    const row = { seq: this.#lastSeq, atMs, bytes };
    this.rows = gone ? [row] : [...this.rows, row];
    if (gone) this.pages.clear();
    return row.seq;
  }

  purge(below: number): void {
    this.rows = this.rows.filter(({ seq }) => seq >= below);
  }

  note(mark: Mark): void {
    if (this.#mark === undefined || mayReplace(mark, this.#mark)) this.#mark = mark;
  }

  unring(seq: number): void {
    if (this.bell !== undefined && this.bell.seq <= seq) this.bell = undefined;
  }
}

export class MemoryStore {
  readonly #lanes = new Map<SessionToken, StoredLane>();
  readonly #graves = new Map<string, BuriedLetter>();
  #bells = 0;

  get lanes(): Iterable<StoredLane> {
    return this.#lanes.values();
  }

  get deadLetters(): readonly BuriedLetter[] {
    return [...this.#graves.values()];
  }

  of({ token, name }: NamedSession): StoredLane {
    const known = this.#lanes.get(token);
    if (known !== undefined) return known;
    const lane = new StoredLane({ token, name });
    this.#lanes.set(token, lane);
    return lane;
  }

  /** Returns where it lies. */
  ring(session: NamedSession, bell: RungBell): number {
    this.#bells += 1;
    this.of(session).bell = { ...bell, seq: this.#bells };
    return this.#bells;
  }

  /** Returns its id; `undefined` when it came before. */
  bury(
    { token, name: from }: NamedSession,
    { letter, failure, attempts, source }: Burial,
  ): number | undefined {
    const subject = `${token} ${source.join()} ${letter.n}`;
    if (this.#graves.has(subject)) return undefined;
    this.#graves.set(subject, { from, letter, failure, attempts });
    return this.#graves.size;
  }
}

export const pageText = ({ epoch, index }: PageName): string => `${epoch}.${index}`;

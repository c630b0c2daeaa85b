// The marks beside the log: as the store has them, and as a node notes them and stores them a little later.
import { isBehind, type Mark, type Marked, mayReplace } from "@voda/proto/mark";
import { Violation } from "./checks.ts";
import type { Clockwork } from "./clockwork.ts";
import type { SimProgram } from "./program.ts";

/** Until a mark is stored, and until one that nobody confirmed is sent again. */
const markMsMax = 1000;

export class SimMarks {
  readonly #clockwork: Clockwork;
  /** The oldest first: a loss of power may bring one back. */
  #stored: { readonly mark: Mark; readonly storedAtMs: number }[] = [];
  /** What was marked and is lost: nothing may follow until somebody accepts it. */
  #owed: Mark | undefined;

  constructor(clockwork: Clockwork) {
    this.#clockwork = clockwork;
  }

  get mark(): Mark | undefined {
    return this.#stored.at(-1)?.mark;
  }

  /** Takes the place of the stored one, unless that is higher. */
  put(mark: Mark): void {
    if (this.mark !== undefined && !mayReplace(mark, this.mark)) return;
    this.#clockwork.say(`store: mark at ${mark.seq}`);
    this.#push(mark);
    // a session that was deleted has nothing to lose
    if (mark.isGone) this.#owed = undefined;
  }

  /** An operator looks at the session, and accepts that the lane is behind its mark. */
  acceptLoss(lane: readonly Marked[]): void {
    const ahead = this.#ahead(lane);
    if (ahead === undefined) return;
    this.#owed = undefined;
    this.#clockwork.say(`operator: accepts the loss of what is marked at ${ahead.seq}`);
    this.#push({ ...ahead, isAccepted: true });
  }

  /**
   * The power was cut: the marks that were not synced may be gone too. A mark that came late, of a record
   * that an earlier loss had taken before it was marked, says nothing of this one.
   */
  lose(
    syncedMs: number,
    lane: { readonly before: readonly Marked[]; readonly after: readonly Marked[] },
  ): void {
    if (this.#clockwork.random.chance(0.3))
      this.#stored = this.#stored.filter(({ storedAtMs }) => storedAtMs <= syncedMs);
    if (this.#ahead(lane.before) === undefined) this.#owed = this.#ahead(lane.after);
  }

  /** A record follows. @throws Violation */
  checkAppend(after: number): void {
    if (this.#owed === undefined) return;
    const marked = this.#owed.seq;
    throw new Violation(`rolled back: a record follows ${after}, acknowledged and marked was ${marked}`);
  }

  #ahead(lane: readonly Marked[]): Mark | undefined {
    return this.mark?.isAccepted === false && isBehind(this.mark, lane) ? this.mark : undefined;
  }

  #push(mark: Mark): void {
    this.#stored.push({ mark, storedAtMs: this.#clockwork.nowMs });
  }
}

/** A node's own. */
export class NodeMarks {
  readonly #program: SimProgram;
  readonly #store: (mark: Mark, stored: () => void) => void;
  #unstored: Mark | undefined;
  #isArmed = false;

  constructor(program: SimProgram, store: (mark: Mark, stored: () => void) => void) {
    this.#program = program;
    this.#store = store;
  }

  note(mark: Mark, isUrgent: boolean): void {
    this.#unstored = mark;
    if (isUrgent) this.#send();
    this.#arm();
  }

  higher(stored: Mark | undefined): Mark | undefined {
    const own = this.#unstored;
    return own !== undefined && (stored === undefined || mayReplace(own, stored)) ? own : stored;
  }

  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    this.#program.deliver(markMsMax, () => {
      this.#isArmed = false;
      if (this.#unstored === undefined) return;
      this.#send();
      this.#arm();
    });
  }

  #send(): void {
    const mark = this.#unstored;
    if (mark === undefined) return;
    this.#store(mark, () => {
      if (this.#unstored === mark) this.#unstored = undefined;
    });
  }
}

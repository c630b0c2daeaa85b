// The turns of its session by which one workflow does all that it does.
import type { HostContext } from "voda/definition";
import type { TurnDraws } from "./draws.ts";
import type { Book } from "./workflow-book.ts";

/** What a turn gives of its context. */
export type TurnContext = Pick<HostContext, "state" | "caller">;

/** Turns of the session beside its calls. */
export interface OwnTurns {
  /** What `act` gives, once it is committed. Rejects with what it threw, or with OwnTurnLost. */
  write<R>(act: (book: Book, ctx: TurnContext) => R): Promise<R>;
  /** The same without a change: the session is here, and its own, at that instant. */
  read<R>(act: (book: Book) => R): Promise<R>;
}

/** The turn did not come to its end, for no reason of its own: the body is run again later. */
export class OwnTurnLost extends Error {}

interface LineParts {
  readonly turns: OwnTurns;
  readonly dropped: AbortSignal;
  /** Of the workflow. */
  readonly id: string;
  readonly draws: TurnDraws;
}

/**
 * Those of one body, one after the other: entries have an order. Once it is dropped no turn is made any more,
 * and who waits for one waits for ever: the body must not go on.
 */
export class TurnLine implements OwnTurns {
  readonly #turns: OwnTurns;
  readonly #dropped: AbortSignal;
  readonly #id: string;
  readonly #draws: TurnDraws;
  /** What the clock showed and no turn has written. */
  readonly #times: number[] = [];
  /** The last one, whatever comes of it. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor({ turns, dropped, id, draws }: LineParts) {
    this.#turns = turns;
    this.#dropped = dropped;
    this.#id = id;
    this.#draws = draws;
  }

  write<R>(act: (book: Book, ctx: TurnContext) => R): Promise<R> {
    return this.#next(() => this.#turns.write(act));
  }

  /**
   * With what the clock showed before: a body that runs again sees the same as far as anything is kept. What
   * a turn that fails would have written goes with the next one.
   */
  async note<R>(act: (book: Book, ctx: TurnContext) => R): Promise<R> {
    let count = 0;
    const result = await this.write((book, ctx) => {
      this.#times.push(...this.#draws.take().times);
      count = this.#times.length;
      book.clock(this.#id, this.#times);
      return act(book, ctx);
    });
    this.#times.splice(0, count);
    return result;
  }

  read<R>(act: (book: Book) => R): Promise<R> {
    return this.#next(() => this.#turns.read(act));
  }

  #next<R>(turn: () => Promise<R>): Promise<R> {
    const next = this.#tail.then(() => (this.#dropped.aborted ? new Promise<R>(() => undefined) : turn()));
    this.#tail = Promise.allSettled([next]);
    return next;
  }
}

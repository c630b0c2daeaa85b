// Turns that the workflows of an activation make of their session: calls to itself, each of which names what
// waits here. Whoever has the session next does not have it, and refuses.
import { VodaError, workflowTurns } from "voda/definition";
import type { Answer, Failure } from "../call/index.ts";
import type { Book } from "./workflow-book.ts";
import { OwnTurnLost, type OwnTurns, type TurnContext } from "./workflow-turns.ts";

type Act = (book: Book, ctx: TurnContext) => void;

/** What such a call says. */
export interface OwnCall {
  readonly own: number;
  /** Calls that an activation before this one made may come to this one. */
  readonly life: string;
}

type Outcome<R> = { readonly value: R } | { readonly error: unknown };

/** Of one activation. */
export class OwnCalls implements OwnTurns {
  readonly #call: (method: string, body: object) => Promise<Answer>;
  readonly #life: string;
  readonly #acts = new Map<number, Act>();
  #last = 0;

  /** `life`: no other activation has it. */
  constructor(call: (method: string, body: object) => Promise<Answer>, life: string) {
    this.#call = call;
    this.#life = life;
  }

  write<R>(act: (book: Book, ctx: TurnContext) => R): Promise<R> {
    return this.#own(workflowTurns.write, act);
  }

  read<R>(act: (book: Book) => R): Promise<R> {
    return this.#own(workflowTurns.read, act);
  }

  /** The call has come to a turn. @throws VodaError when it is of another activation, or has come before */
  perform({ own, life }: OwnCall, book: Book, ctx: TurnContext): void {
    const act = life === this.#life ? this.#acts.get(own) : undefined;
    if (act === undefined) throw ofAnotherLife();
    this.#acts.delete(own);
    act(book, ctx);
  }

  close(): void {
    this.#acts.clear();
  }

  async #own<R>(method: string, act: (book: Book, ctx: TurnContext) => R): Promise<R> {
    this.#last += 1;
    const own = this.#last;
    let ended: Outcome<R> | undefined;
    this.#acts.set(own, (book, ctx) => {
      try {
        ended = { value: act(book, ctx) };
      } catch (error) {
        ended = { error };
        throw toldByWorkflow(error);
      }
    });
    const answer = await this.#call(method, { own, life: this.#life } satisfies OwnCall);
    this.#acts.delete(own);
    return valueOf(answer, ended);
  }
}

/** @throws what the act threw, VodaError for what its turn may not do, OwnTurnLost */
function valueOf<R>(answer: Answer, ended: Outcome<R> | undefined): R {
  if (ended !== undefined && "error" in ended) throw ended.error;
  if (answer.ok && ended !== undefined) return ended.value;
  if (answer.ok || isLost(answer.failure)) throw new OwnTurnLost();
  const { code, reason, message } = answer.failure;
  throw new VodaError(code, message, { reason });
}

/** Nothing that the act did: it may be tried again later, when it is known what became of it. */
const isLost = ({ code, reason }: Failure): boolean =>
  lostCodes.has(code) || reason === "store_full" || reason === "queue_full" || code === "data_loss";
const lostCodes: ReadonlySet<string> = new Set(["unavailable", "canceled", "deadline_exceeded", "aborted"]);

const told = new WeakSet<object>();
/** Its workflow logs it, with its step and its id. */
function toldByWorkflow(error: unknown): unknown {
  if (typeof error === "object" && error !== null) told.add(error);
  return error;
}
export const isToldByWorkflow = (error: unknown): boolean =>
  typeof error === "object" && error !== null && told.has(error);

const ofAnotherLife = (): VodaError =>
  new VodaError("canceled", "the workflow whose turn this is runs elsewhere, or again", {
    reason: "interrupted",
  });

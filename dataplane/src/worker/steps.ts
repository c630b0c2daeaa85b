// What the handlers of one activation do outside of it, from `ctx.run` to the result (docs/effects.md).
import { type RunRequest, VodaError } from "voda/definition";
import {
  type Drawn,
  type Failure,
  type Recalled,
  type StepAnswer,
  type StepDoneMessage,
  type StepMessage,
  seedBytes,
  turnStepsMax,
  turnTimesMax,
} from "../call/index.ts";
import { perform, resultOf, retryWords } from "./attempts.ts";
import type { Abort } from "./context.ts";
import type { TurnDraws } from "./draws.ts";
import { framesOf, optionsOf, siteOf } from "./failed-ask.ts";
import type { Origin } from "./origin.ts";
import { calledFrom } from "./thrown.ts";
import type { ThreadWorld } from "./world.ts";

/** A turn that does something outside. */
export interface Stepping {
  readonly call: number;
  readonly origin: Origin;
  /** 16 bytes over what the call means, if it has an id. */
  readonly canonicalHash: () => Uint8Array | undefined;
  /** `undefined`: it cannot run again. */
  readonly draws: TurnDraws | undefined;
  readonly abort: Abort;
  readonly onRetry: (message: string) => void;
}

/** What a step that goes on hears. */
type Heard = Exclude<StepAnswer, { type: "ended" }>;

/** A step that has not ended. */
interface Waiting {
  readonly by: number;
  readonly name: string;
  resolve: (answer: Heard) => void;
  reject: (error: VodaError) => void;
  readonly ended: AbortController;
}

/** What a turn has done so far. */
interface TurnSteps {
  readonly names: Set<string>;
  /** Taken once: what the call means costs as much as reading its input. */
  readonly canonicalHash: Uint8Array | undefined;
}

export interface StepsOptions {
  readonly activation: number;
  readonly after: ThreadWorld["after"];
  readonly say: (message: StepMessage | StepDoneMessage) => void;
  /** The turn of that call is over. */
  readonly endTurn: (call: number, failure: Failure) => void;
}

const noDrawn: Drawn = { seed: new Uint8Array(seedBytes), times: [] };

/** Numbers steps by activation: an answer that comes after its turn has ended finds nobody. */
export class Steps {
  readonly #options: StepsOptions;
  readonly #turns = new Map<number, TurnSteps>();
  readonly #waiting = new Map<number, Waiting>();
  /** What calls drew that ran before, until they have ended again. */
  readonly #recalled = new Map<number, Recalled>();
  #last = 0;

  constructor(options: StepsOptions) {
    this.#options = options;
  }

  /**
   * Does it unless the journal has its result. Async: what runs for the step after a wait is the call's own.
   */
  async run(turn: Stepping, request: RunRequest): Promise<unknown> {
    const { activation, after, say } = this.#options;
    const site = siteOf();
    const { names, canonicalHash } = this.#turnOf(turn);
    const { name } = request;
    turn.abort.signal.throwIfAborted();
    refuse(turn, names, name);
    names.add(name);
    this.#last += 1;
    const step = this.#last;
    const ended = new AbortController();
    const onAbort = (): void => ended.abort(turn.abort.signal.reason);
    turn.abort.signal.addEventListener("abort", onAbort, { once: true });
    try {
      const answer = await this.#answerTo(step, { by: turn.call, name, ended }, () =>
        say({ type: "step", activation, by: turn.call, step, name, canonicalHash }),
      );
      if (answer.type === "refused") throw refused(answer.failure);
      if (answer.type === "result") return await request.check(resultOf(answer.result));
      const { bytes, value } = await perform({
        origin: turn.origin,
        request,
        idempotencyKey: request.idempotencyKey ?? answer.idempotencyKey.toHex(),
        ended: ended.signal,
        after,
        onRetry: (error, attempt, delayMs) => turn.onRetry(retryWords(request, attempt, delayMs, error)),
      });
      ended.signal.throwIfAborted();
      const kept = await this.#answerTo(step, { by: turn.call, name, ended }, () =>
        say({ type: "step_done", activation, step, result: bytes, drawn: turn.draws?.take() ?? noDrawn }),
      );
      if (kept.type === "refused") throw refused(kept.failure);
      return value;
    } catch (error) {
      throw calledFrom(() => framesOf(site), error);
    } finally {
      turn.abort.signal.removeEventListener("abort", onAbort);
      this.#waiting.delete(step);
    }
  }

  answered(step: number, answer: StepAnswer): void {
    const waiting = this.#waiting.get(step);
    if (answer.type !== "ended") waiting?.resolve(answer);
    else if (waiting !== undefined) this.#options.endTurn(waiting.by, answer.failure);
  }

  recall(call: number, recalled: Recalled): void {
    this.#recalled.set(call, recalled);
  }

  recalledOf(call: number): Recalled | undefined {
    return this.#recalled.get(call);
  }

  forget(call: number): void {
    this.#recalled.delete(call);
  }

  /** A step of the call that has not ended, for those who look at what it waits for. */
  waitedFor(call: number): string | undefined {
    for (const { by, name } of this.#waiting.values())
      if (by === call) return `its step ${JSON.stringify(name)}`;
    return undefined;
  }

  /** The turn has ended: nothing that it began comes back to it. */
  end(call: number): void {
    if (!this.#turns.delete(call)) return;
    for (const [step, { by, name, ended, reject }] of this.#waiting) {
      if (by !== call) continue;
      this.#waiting.delete(step);
      const error = endedTurn(name);
      reject(error);
      ended.abort(error);
    }
  }

  #turnOf({ call, canonicalHash }: Stepping): TurnSteps {
    const known = this.#turns.get(call);
    if (known !== undefined) return known;
    const steps = { names: new Set<string>(), canonicalHash: canonicalHash() };
    this.#turns.set(call, steps);
    return steps;
  }

  /** From here on the turn waits for it, also while the step is being done. */
  #answerTo(step: number, one: Pick<Waiting, "by" | "name" | "ended">, ask: () => void): Promise<Heard> {
    const { promise, resolve, reject } = Promise.withResolvers<Heard>();
    // a step that is being done waits for nothing yet; its turn ends it all the same
    void Promise.allSettled([promise]);
    this.#waiting.set(step, { ...one, resolve, reject });
    ask();
    return promise;
  }
}

/** @throws VodaError */
function refuse({ draws }: Stepping, names: ReadonlySet<string>, name: string): void {
  const what = `ctx.run: step ${JSON.stringify(name)}`;
  if (names.has(name))
    throw badStep(`${what} comes twice in one turn: give each a name of its own, as in \`charge \${item}\``);
  if (names.size >= turnStepsMax)
    throw tooLarge(`${what}: a turn does at most turnStepsMax ${turnStepsMax} steps`);
  if (draws?.isOver === true)
    throw tooLarge(
      `${what}: the turn has asked ctx.now() more often than turnTimesMax ${turnTimesMax}: its journal cannot hold it`,
    );
}

const tooLarge = (message: string): VodaError =>
  new VodaError("resource_exhausted", message, { reason: "too_large" });

const badStep = (message: string): VodaError =>
  new VodaError("invalid_argument", message, { reason: "bad_request" });
/** What would be missing where the turn goes on from its journal. */
export const notInStep = (what: string, step: string): VodaError =>
  badStep(
    `${what} within step ${JSON.stringify(step)}: a step that is kept is not done again, and this would be missing; return from the step what you need, and do it after`,
  );
export const stepReadonly = (): VodaError =>
  badStep("ctx.run: a readonly handler may run twice, and has no journal: let one that writes do it");
export const endedTurn = (name: string): VodaError =>
  new VodaError(
    "canceled",
    `ctx.run: the turn of step ${JSON.stringify(name)} has ended; await each step before the handler ends`,
    { reason: "interrupted" },
  );

const refused = (failure: Failure): VodaError =>
  new VodaError(failure.code, failure.message, optionsOf(failure));

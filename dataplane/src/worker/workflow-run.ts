// One run of the body of a workflow, from its top until it ends, or its session leaves memory
// (docs/workflows.md).
import { hash16 } from "@voda/proto/hash16";
import {
  type HostContext,
  isThenable,
  type Json,
  keptJson,
  type Logger,
  type RunOp,
  type RunRequest,
  VodaError,
  type WorkflowBody,
  type WorkflowHost,
  workflowContext,
} from "voda/definition";
import { stepBytesMax } from "../call/index.ts";
import { perform, resultOf } from "./attempts.ts";
import { TurnDraws } from "./draws.ts";
import { currentStep, enterOrigin, type Origin } from "./origin.ts";
import type { Book, Loaded, WaitDue } from "./workflow-book.ts";
import { Journal, type Placed } from "./workflow-journal.ts";
import {
  bytesOfJson,
  type Entry,
  own,
  type Row,
  type Undoing,
  undone,
  type WorkflowFault,
  waited,
} from "./workflow-rows.ts";
import { type Undo, Undos, undoRequest } from "./workflow-undo.ts";
import type { ThreadWorld } from "./world.ts";

/** What a turn gives of its context. */
export type TurnContext = Pick<HostContext, "state" | "caller">;

/** Turns of the session beside its calls. */
export interface OwnTurns {
  /** What `act` gives, once it is committed. Rejects with what it threw, or with OwnTurnLost. */
  write<T>(act: (book: Book, ctx: TurnContext) => T): Promise<T>;
  /** The same without a change: the session is here, and its own, at that instant. */
  read<T>(act: (book: Book) => T): Promise<T>;
}

/** The turn did not come to its end, for no reason of its own: the body is run again later. */
export class OwnTurnLost extends Error {}

export interface RunParts {
  readonly id: string;
  readonly key: string;
  readonly body: WorkflowBody;
  readonly turns: OwnTurns;
  readonly world: Pick<ThreadWorld, "after" | "now" | "bytes" | "random" | "uuid">;
  readonly log: Logger;
  /** Whose code it is. */
  readonly origin: Origin;
  /** For the log and those who ask how it ended. */
  readonly faultOf: (error: unknown) => WorkflowFault;
  /** It is parked. */
  readonly rested: () => void;
  /** Nothing more comes of it. */
  readonly over: (run: WorkflowRun) => void;
}

type Change = (state: object, ctx: object) => unknown;

/** What the body waits for. */
interface Waiting {
  readonly signal?: string;
  readonly due?: WaitDue;
  isNoted: boolean;
  readonly resolve: (result: Json | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** A body that does not end by itself when it is being undone is not waited for any longer. */
const undoPatienceMs = 10_000;

/**
 * A body, what it waits for and what of it is undone. All that it does it does by turns of its session, one
 * after the other; once one of them is lost nothing more comes of it here.
 */
export class WorkflowRun {
  readonly #parts: RunParts;
  /** As it was when the body began. */
  readonly #row: Row;
  readonly #journal: Journal;
  readonly #draws: TurnDraws;
  /** Steps that the body has come to: none comes twice. */
  readonly #names = new Set<string>();
  /** By the step that waits. */
  readonly #waiting = new Map<string, Waiting>();
  /** How often the body has waited for each signal: one wait is told from the next by it. */
  readonly #waits = new Map<string, number>();
  readonly #undos: Undos;
  /** Nothing that the body does counts any more. */
  readonly #dropped = new AbortController();
  /** The body is to come to its end. */
  readonly #stopped = new AbortController();
  /** Steps at work: as long as there are some, or the body goes on from one, it is not parked. */
  #working = 0;
  readonly #onWorked: (() => void)[] = [];
  /** The last turn, whatever comes of it. */
  #tail: Promise<unknown> = Promise.resolve();
  /** It is to come to that end, once all is undone. */
  #undoing: Undoing | undefined;
  #loosePatience = (): void => undefined;
  #isSettling = false;
  #isParked = false;
  /** The body has returned, or thrown. */
  #hasEnded = false;
  /** Nothing but what is undone, and the end, is written any more. */
  #isEnding = false;
  /** By `wf.status`, and not written yet: the last one is. */
  #said: { readonly text: string; readonly progress: number | undefined } | undefined;

  constructor(parts: RunParts, { row, entries }: Loaded) {
    this.#parts = parts;
    this.#row = row;
    this.#undoing = row.undoing;
    this.#journal = new Journal(entries, (act) => void parts.world.after(0, act));
    this.#undos = new Undos(entries, this.#journal);
    const seed = Uint8Array.from(Buffer.from(row.seed, "hex"));
    const drawn = { seed, times: entries.map(({ times }) => times ?? []) };
    this.#draws = new TurnDraws(drawn, parts.world, () => currentStep(parts.origin.call) !== undefined);
  }

  get id(): string {
    return this.#parts.id;
  }

  /** Whether nothing but a signal or a timer goes on with it. */
  get isParked(): boolean {
    return this.#isParked;
  }

  /** From the top. */
  start(): void {
    const { body, origin } = this.#parts;
    enterOrigin(origin);
    this.#working += 1;
    const context = workflowContext(this.#host());
    const ran = (async () => body(context, this.#row.input))();
    ran.then(
      (result) => this.#ended(() => this.#returned(result)),
      (error: unknown) => this.#ended(() => this.#threw(error)),
    );
    this.#worked();
  }

  #ended(end: () => Promise<void>): void {
    this.#hasEnded = true;
    this.#loosePatience();
    this.#finish(end);
  }

  /** What cannot be written, such as into a state that is full, is tried again when it is run again. */
  #finish(end: () => Promise<void>): void {
    if (this.#dropped.signal.aborted) return;
    this.#keep(end).catch((error: unknown) => {
      this.#parts.log.error(`the workflow cannot be ended: ${this.#parts.faultOf(error).message}`);
      this.#over();
    });
  }

  /** What it waits for has come. */
  appended(placed: Placed): void {
    const { step, result } = placed.entry;
    this.#journal.add(placed);
    const waiting = this.#waiting.get(step);
    this.#waiting.delete(step);
    this.#isParked = false;
    if (waiting !== undefined) void this.#journal.of(step).then(() => waiting.resolve(result));
    this.#settleSoon();
  }

  /** It is cancelled: what it waits for rejects, what it does outside comes to its end. */
  undo(undoing: Undoing): void {
    if (this.#undoing !== undefined) return;
    this.#undoing = undoing;
    this.#isParked = false;
    if (this.#journal.isWhole) this.#stop(undoing);
    else this.#settleSoon();
  }

  /** Steps reject from now on, but for those of the journal. */
  #stop(undoing: Undoing): void {
    const error = errorOf(undoing);
    this.#stopped.abort(error);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.#patience();
  }

  /**
   * A step that was never done. A body that is run again to be undone goes on by what is in the journal
   * alone, as far as that leads: were one rejected before, it would go another way than it went, past what it
   * did.
   */
  async #untilNew(): Promise<void> {
    const { signal } = this.#stopped;
    if (this.#undoing !== undefined && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => resolve(), { once: true });
      this.#working -= 1;
      this.#settleSoon();
      await promise;
      this.#working += 1;
    }
    signal.throwIfAborted();
  }

  /** The session leaves this memory. */
  drop(): void {
    this.#dropped.abort(
      new VodaError(
        "canceled",
        "the session leaves this node or memory; the workflow is run again where it is next",
        { reason: "interrupted" },
      ),
    );
  }

  /** Names of steps have before them what they are: those of an author never meet those of voda. */
  #host(): WorkflowHost {
    const { id, key, log, world } = this.#parts;
    const { now, random, uuid } = this.#draws;
    return {
      id,
      key,
      signal: AbortSignal.any([this.#dropped.signal, this.#stopped.signal]),
      log,
      now,
      nowMs: world.now,
      random,
      uuid,
      run: (request, undo) => this.#step(own + request.name, () => this.#run(request, undo)),
      tx: (name, change, undo) => this.#step(own + name, () => this.#tx(name, change, undo)),
      sleep: async (name, due) => {
        await this.#step(own + name, () => this.#wait(own + name, { due: due as WaitDue }));
      },
      wait: (signal, timeoutMs) => {
        const count = (this.#waits.get(signal) ?? 0) + 1;
        this.#waits.set(signal, count);
        const step = `${waited}${signal} ${count}`;
        const due = timeoutMs === undefined ? undefined : ({ type: "in", ms: timeoutMs } as const);
        return this.#step(step, () => this.#wait(step, { signal, ...(due && { due }) }));
      },
      status: (text, progress) => this.#say(text, progress),
    };
  }

  /** One step, refused when its name comes twice. */
  #step<T>(step: string, act: () => Promise<T>): Promise<T> {
    if (this.#names.has(step)) return Promise.reject(twice(step.slice(1)));
    this.#names.add(step);
    const kept = this.#keep(act);
    const taken = (): void => this.#journal.taken();
    kept.then(taken, taken);
    return kept;
  }

  /** At work, until it ends. What is dropped never does: the body must not go on from it. */
  async #keep<T>(act: () => Promise<T>): Promise<T> {
    this.#working += 1;
    try {
      const result = await act();
      await this.#alive();
      return result;
    } catch (error) {
      // whether it took place, the journal says when the body runs again
      if (error instanceof OwnTurnLost) this.#over();
      await this.#alive();
      throw error;
    } finally {
      this.#worked();
    }
  }

  /** A body that was dropped waits here for ever. */
  #alive(): Promise<void> {
    return this.#dropped.signal.aborted ? new Promise(() => undefined) : Promise.resolve();
  }

  /** At least once, under one key, and not again once its result is kept. */
  async #run(request: RunRequest, undo: Undo | undefined): Promise<unknown> {
    const { name } = request;
    const known = await this.#journal.of(own + name);
    const { value, place } =
      known === undefined
        ? await this.#perform(request, own + name, undo !== undefined)
        : { value: await request.check(known.entry.result), place: known.place };
    if (undo !== undefined) {
      const back = undoRequest(request, undo, value);
      const undoIt = () => this.#perform(back, undone + name, false, neverStopped);
      this.#undos.add({ place, name, undo: undoIt });
    }
    return value;
  }

  /** From here on `last` ends it after the attempt under way. */
  async #perform(request: RunRequest, step: string, isUndone: boolean, last = this.#stopped.signal) {
    if (last !== neverStopped) await this.#untilNew();
    await this.#inTurn(() => this.#parts.turns.read((book) => book.requireLive(this.id)));
    last.throwIfAborted();
    const { bytes, value } = await perform({
      origin: this.#parts.origin,
      request: { ...request, perform: (op) => request.perform(stoppedToo(op, last)) },
      idempotencyKey: request.idempotencyKey ?? hash16(`${this.#row.seed} ${step}`).toHex(),
      ended: this.#dropped.signal,
      last,
      after: this.#parts.world.after,
      onRetry: (error, attempt, delayMs) => this.#retried(request, attempt, delayMs, error),
    });
    const result = resultOf(bytes) as Json | undefined;
    const place = await this.#append(step, result, isUndone);
    return { value, place };
  }

  #retried({ name, attemptsMax }: RunRequest, attempt: number, delayMs: number, error: unknown): void {
    const { message } = this.#parts.faultOf(error);
    this.#parts.log.warn(
      `step ${JSON.stringify(name)} failed, attempt ${attempt} of ${attemptsMax}; the next in ${delayMs} ms: ${message}`,
    );
  }

  /** What was done outside is in the journal before the body hears of it. */
  async #append(step: string, result: Json | undefined, isUndone: boolean): Promise<number> {
    const entry = (book: Book) => ({ place: book.append(this.id, this.#entryOf(step, result, isUndone)) });
    return (await this.#appending(entry)).place;
  }

  async #appending<T extends { readonly place: number }>(
    act: (book: Book, ctx: TurnContext) => T,
  ): Promise<T> {
    let place: number | undefined;
    try {
      const made = await this.#inTurn(() =>
        this.#parts.turns.write((book, ctx) => {
          const appended = act(book, ctx);
          place = appended.place;
          this.#journal.open(place);
          return appended;
        }),
      );
      await this.#journal.stored(made.place);
      return made;
    } catch (error) {
      if (place !== undefined) this.#journal.lost(place);
      throw error;
    }
  }

  /** What was drawn since the entry before goes with it. */
  #entryOf(step: string, result: Json | undefined, isUndone: boolean): Entry {
    const { times } = this.#draws.take();
    return {
      step,
      ...(result !== undefined && { result }),
      ...(isUndone && { undo: true }),
      ...(times.length > 0 && { times }),
    };
  }

  /** Exactly once: its entry is in the same delta. */
  async #tx(name: string, change: Change, undo: Change | undefined): Promise<unknown> {
    const known = await this.#journal.of(own + name);
    const { result, place } =
      known === undefined
        ? await this.#change(own + name, change, undo !== undefined)
        : { result: known.entry.result, place: known.place };
    if (undo !== undefined) {
      const undoIt = () => this.#change(undone + name, undo, false);
      this.#undos.add({ place, name, undo: undoIt });
    }
    return result;
  }

  /** A turn with the author's function in it. */
  async #change(step: string, change: Change, isUndone: boolean) {
    if (!step.startsWith(undone)) await this.#untilNew();
    return this.#appending((book, ctx) => {
      const changed = change(ctx.state, ctx);
      if (isThenable(changed)) throw asynchronous(step.slice(1));
      const result = keptJson("what the function returned", changed);
      return { result, place: book.append(this.id, this.#entryOf(step, result, isUndone)) };
    });
  }

  /** Noted in the row with all others that began meanwhile. */
  async #wait(step: string, { signal, due }: Pick<Waiting, "signal" | "due">): Promise<unknown> {
    const known = await this.#journal.of(step);
    if (known !== undefined) return known.entry.result;
    await this.#untilNew();
    const { promise, resolve, reject } = Promise.withResolvers<Json | undefined>();
    this.#waiting.set(step, {
      isNoted: false,
      resolve,
      reject,
      ...(signal !== undefined && { signal }),
      ...(due && { due }),
    });
    this.#working -= 1;
    try {
      this.#settleSoon();
      return await promise;
    } finally {
      this.#working += 1;
    }
  }

  #worked(): void {
    this.#working -= 1;
    for (const resolve of this.#onWorked.splice(0)) resolve();
    this.#settleSoon();
  }

  /**
   * Once the body has gone as far as it gets: does it wait for nothing but time and signals? What it awaits
   * beside steps nobody sees: parked meanwhile, it goes on all the same, and is wanted again with its next
   * step.
   */
  #settleSoon(): void {
    if (this.#isSettling || this.#isParked || this.#isEnding) return;
    this.#isSettling = true;
    this.#parts.world.after(0, () => {
      this.#isSettling = false;
      if (this.#journal.isHandingOut) return;
      if (this.#undoing !== undefined) {
        if (this.#working === 0 && !this.#stopped.signal.aborted) this.#stop(this.#undoing);
        return;
      }
      const isIdle = this.#working === 0 && this.#waiting.size > 0;
      const isNew = Array.from(this.#waiting.values()).some(({ isNoted }) => !isNoted);
      if ((isIdle || isNew) && !this.#isParked && !this.#isEnding) void this.#note(isIdle);
    });
  }

  /**
   * What it waits for stands in the row, before it is parked. One that came meanwhile is told by `appended`,
   * and then the body is looked at again.
   */
  async #note(isIdle: boolean): Promise<void> {
    const fresh = Array.from(this.#waiting).filter(([, { isNoted }]) => !isNoted);
    for (const [, waiting] of fresh) waiting.isNoted = true;
    const steps = [...this.#waiting.keys()];
    const isStill = (): boolean => this.#working === 0 && this.#waiting.size === steps.length;
    try {
      const isParked = await this.#inTurn(() =>
        this.#parts.turns.write((book) => {
          for (const [step, { signal, due }] of fresh)
            book.wait(this.id, step, { ...(signal !== undefined && { signal }), ...(due && { due }) });
          return isIdle && isStill() && book.park(this.id, steps);
        }),
      );
      this.#isParked ||= isParked && isStill();
      if (this.#isParked) this.#parts.rested();
    } catch (error) {
      if (error instanceof OwnTurnLost) return this.#over();
      for (const [step, waiting] of fresh) {
        this.#waiting.delete(step);
        waiting.reject(error);
      }
    }
  }

  /** What was said before it was run again is not said again. */
  #say(text: string, progress: number | undefined): void {
    if (!this.#journal.isOver) return;
    const isFirst = this.#said === undefined;
    this.#said = { text, progress };
    if (!isFirst) return;
    void this.#keep(() =>
      this.#inTurn(() =>
        this.#parts.turns.write((book) => {
          const said = this.#said;
          this.#said = undefined;
          if (said !== undefined) book.say(this.id, said.text, said.progress);
        }),
      ),
    ).catch((error: unknown) => this.#parts.log.warn(`wf.status: ${this.#parts.faultOf(error).message}`));
  }

  /** One after the other: entries have an order. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const next = this.#tail.then(() =>
      this.#dropped.signal.aborted ? new Promise<T>(() => undefined) : act(),
    );
    this.#tail = Promise.allSettled([next]);
    return next;
  }

  /** Steps that it has not awaited are not. */
  async #returned(value: unknown): Promise<void> {
    if (this.#undoing !== undefined) return this.#undoAll();
    let result: Json | undefined;
    try {
      result = keptJson("what the workflow returned", value);
      const bytes = bytesOfJson(result);
      if (bytes > stepBytesMax) throw resultTooLarge(bytes);
    } catch (error) {
      return this.#threw(error);
    }
    await this.#end({ phase: "done", ...(result !== undefined && { result }) });
  }

  /** Steps side by side with the one that threw come to their end first: what they did is undone too. */
  async #threw(error: unknown): Promise<void> {
    if (this.#undoing === undefined) {
      const undoing: Undoing = { phase: "failed", error: this.#parts.faultOf(error) };
      this.#stopped.abort(errorOf(undoing));
      await this.#quiet();
      if (this.#undos.areNone) return this.#end(undoing);
      await this.#inTurn(() => this.#parts.turns.write((book) => book.undo(this.id, undoing)));
      this.#undoing ??= undoing;
    }
    await this.#undoAll();
  }

  /** For a body that waits for something else than steps. */
  #patience(): void {
    if (this.#hasEnded) return;
    this.#loosePatience = this.#parts.world.after(undoPatienceMs, () => {
      if (!this.#hasEnded && !this.#isEnding) this.#finish(() => this.#undoAll());
    });
  }

  /** Until no step is at work but the one that asks: what they did is undone too. */
  async #quiet(): Promise<void> {
    while (this.#working > 1) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onWorked.push(resolve);
      await promise;
    }
  }

  /** The last step first; what was undone before its node died is in the journal. */
  async #undoAll(): Promise<void> {
    const undoing = this.#undoing;
    if (this.#isEnding || undoing === undefined) return;
    this.#isEnding = true;
    await this.#quiet();
    const failures = await this.#undos.undo((thrown) => {
      if (thrown instanceof OwnTurnLost) throw thrown;
      return this.#parts.faultOf(thrown).message;
    });
    const { error } = undoing;
    const message = [error.message, ...failures].join("; ");
    await this.#end({ phase: undoing.phase, error: { ...error, message } });
  }

  /** The last turn of it. */
  async #end(how: Pick<Row, "phase" | "result" | "error"> & { error?: WorkflowFault }): Promise<void> {
    this.#isEnding = true;
    await this.#inTurn(() => this.#parts.turns.write((book) => book.end(this.id, how)));
    this.#over();
  }

  /** Steps that nobody has awaited end with it. */
  #over(): void {
    this.#isEnding = true;
    this.#loosePatience();
    this.drop();
    this.#parts.over(this);
  }
}

const neverStopped = new AbortController().signal;

const stoppedToo = ({ idempotencyKey, signal }: RunOp, last: AbortSignal): RunOp => ({
  idempotencyKey,
  signal: AbortSignal.any([signal, last]),
});

const errorOf = ({ error: { message, reason } }: Undoing): VodaError =>
  new VodaError("canceled", message, { reason });

const twice = (step: string): VodaError =>
  badStep(
    `step ${JSON.stringify(step)} comes twice in one workflow: give each a name of its own, as in \`charge \${item}\``,
  );
const asynchronous = (step: string): VodaError =>
  badStep(
    `wf.tx(${JSON.stringify(step)}): the function is asynchronous; it answers at once, and wf.run waits for what is outside`,
  );
const badStep = (message: string): VodaError =>
  new VodaError("invalid_argument", message, { reason: "bad_request" });
const resultTooLarge = (bytes: number): VodaError =>
  new VodaError(
    "resource_exhausted",
    `the result of the workflow of ${bytes} bytes exceeds stepBytesMax ${stepBytesMax}`,
    {
      reason: "too_large",
    },
  );

// One run of the body of a workflow, from its top until it ends, or its session leaves memory
// (docs/workflows.md).
import {
  isThenable,
  type Json,
  type Logger,
  type RunRequest,
  type SleepTime,
  type TxFunction,
  type UndoFunction,
  VodaError,
  type WorkflowBody,
  type WorkflowHost,
  workflowContext,
} from "voda/definition";
import { TurnDraws } from "./draws.ts";
import { currentStep, enterOrigin, inStep, type Origin } from "./origin.ts";
import { notInStep } from "./steps.ts";
import type { Book, Loaded } from "./workflow-book.ts";
import { workflowTimesMax } from "./workflow-bounds.ts";
import { tooManyTimes, WorkflowEnding } from "./workflow-ending.ts";
import { errorOf, givenUpFault, type StepFault, type Undoing } from "./workflow-faults.ts";
import { Journal, type Placed } from "./workflow-journal.ts";
import { doneBefore, OutsideSteps, wasDone } from "./workflow-outside.ts";
import { keptResult } from "./workflow-result.ts";
import { type Entry, type Left, own, type Row, undone, waited } from "./workflow-rows.ts";
import { onceAborted, SignalWaits } from "./workflow-signals.ts";
import type { WaitFor } from "./workflow-table.ts";
import { OwnTurnLost, type OwnTurns, type TurnContext, TurnLine } from "./workflow-turns.ts";
import { Undos, undoRequest } from "./workflow-undo.ts";
import { WorkflowWaits } from "./workflow-waits.ts";
import { BodyWork } from "./workflow-work.ts";
import type { ThreadWorld } from "./world.ts";

/** What a run is given. */
export interface RunParts {
  readonly id: string;
  readonly key: string;
  readonly body: WorkflowBody;
  readonly turns: OwnTurns;
  readonly world: Pick<ThreadWorld, "after" | "now" | "bytes" | "random" | "uuid">;
  readonly log: Logger;
  /** Where the log is. */
  readonly logName: string;
  /** Whose code it is. */
  readonly origin: Origin;
  /** Logs it, and gives what is kept of it. `what`: of the workflow has failed. */
  readonly faultOf: (error: unknown, what?: string) => StepFault;
  /** It is parked. */
  readonly rested: () => void;
  /** Nothing more comes of it. `isWritten`: its end is; else it is run again later. */
  readonly over: (run: WorkflowRun, isWritten: boolean) => void;
}

/** A call that was to be given up has come to its end by itself: it has the entry of that. */
const timeWasFirst = new Error("the time of the call was first");

/** Of what no entry tells the place of: it is undone first. */
const lastPlace = Number.MAX_SAFE_INTEGER;

/**
 * A body and its steps. All that it does it does by turns of its session, one after the other; once one of
 * them is lost nothing more comes of it here.
 */
export class WorkflowRun {
  readonly #parts: RunParts;
  /** As it was when the body began. */
  readonly #row: Row;
  readonly #journal: Journal;
  readonly #draws: TurnDraws;
  readonly #line: TurnLine;
  readonly #work: BodyWork;
  readonly #waits: WorkflowWaits;
  readonly #signals: SignalWaits;
  readonly #undos: Undos;
  readonly #ending: WorkflowEnding;
  readonly #outside: OutsideSteps;
  /** Steps that the body has come to: none comes twice. */
  readonly #names = new Set<string>();
  /** Nothing that the body does counts any more. */
  readonly #dropped = new AbortController();
  /** Steps with an entry that was made in this run. */
  readonly #appended = new Set<string>();
  /** By `wf.status`, and not written yet: the last one is. */
  #said: { readonly text: string; readonly progress: number | undefined } | undefined;

  constructor(parts: RunParts, { row, entries, times }: Loaded) {
    const { id, turns, world, origin, logName } = parts;
    const { after } = world;
    const dropped = this.#dropped.signal;
    this.#parts = parts;
    this.#row = row;
    this.#journal = new Journal(entries, (act) => void after(0, act));
    this.#undos = new Undos(entries, this.#journal);
    const drawn = { seed: Uint8Array.from(Buffer.from(row.seed, "hex")), times: [times] };
    this.#draws = new TurnDraws(drawn, world, () => this.#isInStep, workflowTimesMax);
    this.#line = new TurnLine({ turns, dropped, id, draws: this.#draws });
    this.#work = new BodyWork(() => this.#waits.settleSoon());
    const ofRun = { id, line: this.#line, work: this.#work, after };
    this.#waits = new WorkflowWaits({
      ...ofRun,
      handedOut: (step) => this.#journal.came(step),
      isEnding: () => this.#ending.isEnding,
      mayWait: () => !this.#journal.isHandingOut && this.#ending.rested(),
      rested: parts.rested,
      lost: () => this.#over(false),
    });
    this.#signals = new SignalWaits({
      begin: (step, what) => this.#waiting(step, what),
      drop: (steps) => this.#waits.drop(steps),
      renew: (steps) => this.#waits.renew(steps),
      hasEntry: (step) => this.#journal.has(step),
      isTold: (step) => this.#journal.isTold(step),
      leave: (step, left) => this.#leave(step, left),
    });
    this.#ending = new WorkflowEnding({
      ...ofRun,
      undoing: row.undoing,
      undos: this.#undos,
      isReplayed: () => this.#journal.isWhole,
      append: (entry) => this.#append(entry),
      faultOf: parts.faultOf,
      logName,
      keep: (act) => this.#keep(act),
      isDropped: () => dropped.aborted,
      endWaits: (error) => this.#waits.end(error),
      over: (isWritten) => this.#over(isWritten),
    });
    this.#outside = new OutsideSteps({
      ...ofRun,
      seed: row.seed,
      origin,
      log: parts.log,
      faultOf: parts.faultOf,
      dropped,
      last: this.#ending.stopped,
      append: (entry) => this.#append(entry),
      appendFault: (entry) => this.#appendFault(entry, true),
    });
  }

  get id(): string {
    return this.#parts.id;
  }

  /** Whether nothing but a signal or a timer goes on with it. */
  get isParked(): boolean {
    return this.#waits.isParked;
  }

  /** Whether it has got on: something new is in its journal. */
  get hasAppended(): boolean {
    return this.#appended.size > 0;
  }

  /** From the top. */
  start(): void {
    const { body, origin } = this.#parts;
    enterOrigin(origin);
    this.#work.begin();
    const context = workflowContext(this.#host());
    const ran = (async () => body(context, this.#row.input))();
    ran.then(
      (result) => this.#ending.returned(result),
      (error: unknown) => this.#ending.threw(error),
    );
    this.#work.end();
  }

  /** What it waits for has come. */
  appended(placed: Placed): void {
    this.#appended.add(placed.entry.step);
    this.#journal.add(placed);
    this.#waits.appended(placed.entry);
  }

  /** It is cancelled. */
  undo(undoing: Undoing): void {
    this.#waits.goOn();
    this.#ending.undo(undoing);
    this.#waits.settleSoon();
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
      signal: AbortSignal.any([this.#dropped.signal, this.#ending.stopped]),
      log: this.#logOf(log),
      now,
      nowMs: world.now,
      random,
      uuid,
      run: (request, undo) => this.#step(own + request.name, () => this.#run(request, undo)),
      tx: (name, change, undo) => this.#step(own + name, () => this.#tx(name, change, undo)),
      sleep: async (name, due, abort) => {
        await this.#sleep(own + name, due, abort);
      },
      // refused within a step, and there is no place for it: it must not count
      wait: (signal, end) =>
        this.#isInStep ? this.#waiting(waited + signal, { signal }) : this.#signals.wait(signal, end),
      status: (text, progress) => this.#say(text, progress),
      refuse: (error) => this.#refuse(error),
    };
  }

  get #isInStep(): boolean {
    return currentStep(this.#parts.origin.call) !== undefined;
  }

  /** What was logged before it was run again is not logged again. */
  #logOf(log: Logger): Logger {
    const at =
      (level: keyof Logger): Logger[keyof Logger] =>
      (message, fields) => {
        if (this.#journal.isOver) log[level](message, fields);
      };
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  }

  /**
   * One step, refused when its name comes twice. A body that was parked goes on with it: what it awaited
   * beside steps nobody has seen.
   */
  #step<R>(step: string, act: () => Promise<R>): Promise<R> {
    const problem = this.#problemOf(step);
    if (problem !== undefined) return this.#refuse(problem);
    this.#names.add(step);
    this.#waits.goOn();
    return this.#taking(() => this.#settled(step, act));
  }

  #problemOf(step: string): VodaError | undefined {
    const name = step.slice(1);
    const within = currentStep(this.#parts.origin.call);
    const what = step.startsWith(waited) ? "wf.wait of signal" : "step";
    if (within !== undefined) return notInStep(`${what} ${JSON.stringify(name)}`, within);
    return this.#names.has(step) ? twice(name) : undefined;
  }

  /** What was handed out for it the body has with its end. */
  #taking<R>(act: () => Promise<R>): Promise<R> {
    const kept = this.#keep(act);
    const taken = (): void => this.#journal.taken();
    kept.then(taken, taken);
    return kept;
  }

  /**
   * A failure for good is in the journal as results are: the body may go another way from it, and goes that
   * way again when it is run again, whatever the world outside says by then.
   */
  async #settled<R>(step: string, act: () => Promise<R>): Promise<R> {
    try {
      return await act();
    } catch (error) {
      const isForGood = !(error instanceof OwnTurnLost || this.#hasNoEnd);
      if (!isForGood || this.#appended.has(step) || this.#journal.has(step)) throw error;
      const fault = this.#parts.faultOf(error, `step ${JSON.stringify(step.slice(1))} of `);
      await this.#appendFault({ step, fault }, false);
      throw errorOf(fault);
    }
  }

  /** What ends now has not come to an end of its own. */
  get #hasNoEnd(): boolean {
    return this.#dropped.signal.aborted || this.#ending.stopped.aborted;
  }

  /** At work, until it ends. What is dropped never does: the body must not go on from it. */
  async #keep<R>(act: () => Promise<R>): Promise<R> {
    this.#work.begin();
    try {
      const result = await act();
      await this.#alive();
      return result;
    } catch (error) {
      // whether it took place, the journal says when the body runs again
      if (error instanceof OwnTurnLost) this.#over(false);
      await this.#alive();
      throw error;
    } finally {
      this.#work.end();
    }
  }

  /** A body that was dropped waits here for ever. */
  #alive(): Promise<void> {
    return this.#dropped.signal.aborted ? new Promise(() => undefined) : Promise.resolve();
  }

  async #refuse(error: unknown): Promise<never> {
    await this.#ending.refused();
    await this.#alive();
    throw error;
  }

  /** What was done by that name; else it may be done now. @throws VodaError when not */
  async #known(step: string): Promise<Placed | undefined> {
    const known = await this.#journal.of(step);
    if (known !== undefined) return known;
    this.#journal.goOn();
    await this.#fresh(step);
    return undefined;
  }

  /** A step that was never done may come now. @throws VodaError when not */
  async #fresh(step: string): Promise<void> {
    await this.#ending.fresh();
    if (this.#draws.isOver) throw tooManyTimes(step.slice(1));
  }

  /**
   * At least once, under one key, and not again once its result is kept. What was done outside is undone
   * later, whether its workflow has had its result or not.
   */
  async #run(request: RunRequest, undo: UndoFunction | undefined): Promise<unknown> {
    const { name } = request;
    const known = await this.#known(own + name);
    const done =
      known === undefined
        ? await this.#outside.once(request, undo !== undefined)
        : await doneBefore(request, known);
    const { place, given } = done;
    if (undo !== undefined && wasDone(known?.entry)) {
      const back = undoRequest(request, undo, given);
      this.#undos.add({ place, name, undo: () => this.#outside.takeBack(back) });
    }
    if (done.type === "failed") throw done.error;
    return done.value;
  }

  /** Where there is no room for it, as in a state that is full, this run alone knows of it. */
  async #appendFault(entry: Entry, isOutside: boolean): Promise<number> {
    try {
      return await this.#append(entry, isOutside);
    } catch (error) {
      if (error instanceof OwnTurnLost) throw error;
      return lastPlace;
    }
  }

  async #append(entry: Entry, isOutside = false): Promise<number> {
    const made = (book: Book) => ({ place: book.append(this.id, entry, isOutside) });
    return (await this.#appending(entry.step, made)).place;
  }

  /** What comes after an entry waits until it is known what became of it. */
  async #appending<R extends { readonly place: number }>(
    step: string,
    act: (book: Book, ctx: TurnContext) => R,
  ): Promise<R> {
    let place: number | undefined;
    try {
      const made = await this.#line.note((book, ctx) => {
        const appended = act(book, ctx);
        place = appended.place;
        this.#journal.open(place);
        return appended;
      });
      this.#appended.add(step);
      await this.#journal.stored(made.place);
      return made;
    } catch (error) {
      if (place !== undefined) this.#journal.lost(place);
      throw error;
    }
  }

  /** Exactly once: its entry is in the same delta. */
  async #tx(name: string, change: TxFunction, undo: TxFunction | undefined): Promise<unknown> {
    const known = await this.#known(own + name);
    const { result, place } =
      known === undefined
        ? await this.#change(own + name, change, undo !== undefined)
        : { result: resultOf(known.entry), place: known.place };
    if (undo !== undefined) {
      const undoIt = () => this.#change(undone + name, (state, ctx) => nothingOf(undo(state, ctx)), false);
      this.#undos.add({ place, name, undo: undoIt });
    }
    return result;
  }

  /** A turn with the author's function in it. */
  async #change(step: string, change: TxFunction, isUndone: boolean) {
    return this.#appending(step, (book, ctx) => {
      // what it draws of the workflow it draws once: it is not run again
      const given = inStep(this.#parts.origin, step.slice(1), () => change(ctx.state, ctx));
      if (isThenable(given)) throw asynchronous(step.slice(1));
      const result = keptResult(`wf.tx(${JSON.stringify(step.slice(1))}): its result`, given);
      const entry: Entry = {
        step,
        ...(result !== undefined && { result }),
        ...(isUndone && { undo: true }),
      };
      return { result, place: book.append(this.id, entry) };
    });
  }

  #waiting(step: string, what: WaitFor): Promise<unknown> {
    return this.#step(step, () => this.#wait(step, what));
  }

  /** One that is over, whether the body has that already or not, is not given up. */
  #sleep(step: string, due: SleepTime, abort: AbortSignal | undefined): Promise<unknown> {
    const isRefused = this.#problemOf(step) !== undefined;
    const slept = this.#waiting(step, { due });
    if (abort === undefined || isRefused) return slept;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const settled = (): void => resolve(slept);
    slept.then(settled, settled);
    onceAborted(abort, promise, () => {
      if (this.#journal.has(step)) return;
      const fault = givenUpFault(`wf.sleep(${JSON.stringify(step.slice(1))})`);
      const left = this.#leave(step, () => ({ step, fault }));
      left.then(undefined, () => {
        this.#waits.drop([step]);
        resolve(left);
      });
    });
    return promise;
  }

  /**
   * By an entry, as all that the body goes on from. It has nothing else until that is made: so the entry
   * knows who waits with it.
   */
  async #leave(step: string, left: () => Left): Promise<void> {
    this.#waits.goOn();
    const goOn = this.#journal.hold();
    await this.#taking(async () => {
      try {
        await this.#ending.fresh();
        const { fault } = await this.#appending(step, (book) => {
          const made = this.#leaveBy(book, left());
          goOn();
          return made;
        });
        throw errorOf(fault);
      } catch (error) {
        if (error !== timeWasFirst) throw error;
      } finally {
        goOn();
      }
    });
  }

  #leaveBy(book: Book, left: Left) {
    const { step, fault, wait } = left;
    if (this.#journal.has(step)) throw timeWasFirst;
    const place = book.leave(this.id, left);
    if (wait !== undefined) {
      this.#waits.withhold(wait.step);
      this.#journal.takeBack(wait.step);
    }
    return { place, fault };
  }

  /** Noted in the row with all others that began meanwhile. */
  async #wait(step: string, what: WaitFor): Promise<unknown> {
    const known = await this.#journal.of(step);
    if (known !== undefined) return resultOf(known.entry);
    await this.#fresh(step);
    return this.#waits.wait(step, what);
  }

  /** What was said before it was run again is not said again. */
  #say(text: string, progress: number | undefined): void {
    if (!this.#journal.isOver) return;
    const isFirst = this.#said === undefined;
    this.#said = { text, progress };
    if (!isFirst) return;
    const written = this.#keep(() =>
      this.#line.write((book) => {
        const said = this.#said;
        this.#said = undefined;
        if (said !== undefined) book.say(this.id, said.text, said.progress);
      }),
    );
    written.catch((error: unknown) => this.#parts.faultOf(error, "the status of "));
  }

  /** Steps that nobody has awaited end with it. */
  #over(isWritten: boolean): void {
    this.#ending.close();
    this.drop();
    this.#parts.over(this, isWritten);
  }
}

/** @throws VodaError what it failed with */
function resultOf({ result, fault }: Entry): Json | undefined {
  if (fault !== undefined) throw errorOf(fault);
  return result;
}

/** What an undo gives is not looked at, but that it does not come later. */
const nothingOf = (given: unknown): unknown => (isThenable(given) ? given : undefined);

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

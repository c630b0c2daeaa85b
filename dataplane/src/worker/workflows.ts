// The workflows of one activation: whose body runs, and the turns of the session that they make
// (docs/workflows.md).
import type { SessionName } from "@voda/proto/session";
import { VodaError, type WorkflowBody, type WorkflowTurn, workflowTurns } from "voda/definition";
import type { Answer } from "../call/index.ts";
import { endingOf, noInput } from "./failure.ts";
import { type AgentLog, loggerOf } from "./log.ts";
import type { Origin } from "./origin.ts";
import { Book, type Happened, type Loaded } from "./workflow-book.ts";
import { bodiesMax } from "./workflow-bounds.ts";
import { endOf, faultOf, type StepFault } from "./workflow-faults.ts";
import { type OwnCall, OwnCalls } from "./workflow-own.ts";
import { WorkflowRun } from "./workflow-run.ts";
import type { Alarm, SetTimer, WaitDue } from "./workflow-table.ts";
import { OwnTurnLost, type TurnContext } from "./workflow-turns.ts";
import { failedBefore, leftToUndo } from "./workflow-undo.ts";
import type { ThreadWorld } from "./world.ts";

const pauseMs = 1_000;
const pauseMsMax = 300_000;

/** `T`: a turn, as who runs it knows it. */
export interface WorkflowsParts<T> {
  readonly name: SessionName;
  readonly bodies: ReadonlyMap<string, WorkflowBody>;
  readonly world: ThreadWorld;
  readonly log: Pick<AgentLog, "say" | "print">;
  /** Where the log is, for those who read an error. */
  readonly logName: string;
  /** The session was in the memory of a thread or a node that has ended, and was not put to sleep by it. */
  readonly isLost: boolean;
  /** Has the session call a handler of its own. */
  readonly call: (method: string, body: object) => Promise<Answer>;
  /** As part of that turn. */
  readonly timer: (turn: T, timer: OwnTimer) => void;
}

/** A timer of the session that calls a handler of its own, or takes that back. */
export interface OwnTimer {
  readonly id: string;
  readonly due: WaitDue;
  readonly method: string;
  readonly what: Alarm | undefined;
}

/** What calls of the session to itself say. */
interface Wanted extends Partial<OwnCall> {
  readonly due?: readonly [id: string, step: string];
  readonly tick?: true;
  readonly list?: true;
}

/** Their truth is the state: what is here goes with the activation. */
export class Workflows<T extends object> {
  readonly #parts: WorkflowsParts<T>;
  /** `undefined`: its journal is being read. */
  readonly #runs = new Map<string, WorkflowRun | undefined>();
  /** Journals that changed while they were read. */
  readonly #stale = new Set<string>();
  /** Those for which there is no place, and whether their bodies have run before. */
  readonly #queue = new Map<string, boolean>();
  /** Those that have begun here: with this memory nothing has ended since. */
  readonly #begun = new Set<string>();
  /** How often a body has left without its end, and without getting on, by its id. */
  readonly #left = new Map<string, number>();
  /** End the pauses before bodies that begin again. */
  readonly #pauses = new Set<() => void>();
  readonly #books = new WeakMap<T, Book>();
  readonly #own: OwnCalls;
  #isClosed = false;

  constructor(parts: WorkflowsParts<T>) {
    this.#parts = parts;
    this.#own = new OwnCalls(parts.call, Buffer.from(parts.world.bytes(16)).toString("hex"));
  }

  /** The session has come into memory. */
  open(state: object): void {
    const wanted = this.#bookOver(state).wanted();
    for (const id of wanted) void this.#begin(id, true);
  }

  /** What a handler has done with them, as part of its turn. */
  turnOf(turn: T, ctx: TurnContext, isReadonly = false): WorkflowTurn {
    const book = this.#books.get(turn) ?? this.#bookOf(turn, ctx.state);
    this.#books.set(turn, book);
    return {
      start: isReadonly ? readsOnly : (request) => book.start(request),
      signal: isReadonly ? readsOnly : (request) => book.signal(request),
      cancel: isReadonly ? readsOnly : (id) => book.cancel(id),
      status: (id) => book.status(id),
      perform: (what) => this.#perform(book, ctx, what),
    };
  }

  /** The turn took place. */
  committed(turn: T): void {
    for (const one of this.#books.get(turn)?.happened ?? []) this.#happened(one);
  }

  close(): void {
    this.#isClosed = true;
    for (const run of this.#runs.values()) run?.drop();
    this.#runs.clear();
    this.#own.close();
    for (const end of this.#pauses) end();
  }

  #bookOf(turn: T, state: object): Book {
    const method = workflowTurns.write;
    return this.#bookOver(state, (id, due, what) => this.#parts.timer(turn, { id, due, method, what }));
  }

  /** Without `timer`: to be read. */
  #bookOver(state: object, timer: SetTimer = () => undefined): Book {
    const { bodies, world } = this.#parts;
    const seed = (): string => Buffer.from(world.bytes(16)).toString("hex");
    return new Book({ state, workflows: bodies, nowMs: world.now, uuid: world.uuid, seed, timer });
  }

  /** What the host has its own handlers called for: a turn of ours, a timer, or somebody who looks. */
  #perform(book: Book, ctx: TurnContext, what: unknown): unknown {
    const { own, life = "", due, tick, list } = what as Wanted;
    const { agent } = ctx.caller;
    const { name } = this.#parts;
    if (agent?.name !== name.agent || agent.key !== name.key) throw notForOthers();
    if (due !== undefined) book.due(...due);
    if (tick === true) {
      for (const id of book.wanted()) this.#rerun(book, id);
      book.awaitRevision();
    }
    if (own !== undefined) this.#own.perform({ own, life }, book, ctx);
    return list === true ? book.list() : undefined;
  }

  /** Once the turn of the timer is committed. */
  #rerun(book: Book, id: string): void {
    if (!this.#runs.has(id)) book.happened.push({ type: "begun", id, isRerun: true });
  }

  /** A journal that is being read may have been read before. */
  #happened(one: Happened): void {
    const { id } = one;
    const run = this.#runs.get(id);
    if (run === undefined) {
      if (this.#runs.has(id)) this.#stale.add(id);
      else void this.#begin(id, one.type === "begun" && one.isRerun);
    } else if (one.type === "entered") run.appended(one);
    else if (one.type === "undoing") run.undo(one.undoing);
  }

  /** What goes wrong with it is tried again with the next tick. `isRerun`: its body has run before. */
  async #begin(id: string, isRerun: boolean): Promise<void> {
    if (this.#isClosed || this.#runs.has(id)) return;
    const atWork = Array.from(this.#runs.values()).filter((run) => run?.isParked !== true);
    if (atWork.length >= bodiesMax) {
      this.#queue.set(id, isRerun || this.#queue.get(id) === true);
      return;
    }
    this.#queue.delete(id);
    this.#runs.set(id, undefined);
    try {
      const loaded = await this.#load(id, isRerun);
      if (loaded === undefined || this.#isClosed) this.#forget(id);
      else this.#run(id, loaded);
    } catch (error) {
      this.#forget(id);
      if (!(error instanceof OwnTurnLost)) this.#logError(`workflow ${id}: `, error);
    }
  }

  /**
   * Its journal; `undefined` when there is nothing to run. A beginning after another memory had it is written
   * before the body runs: what ends this thread, or its node, is found in the row by who has the session
   * next.
   */
  async #load(id: string, isRerun: boolean): Promise<Loaded | undefined> {
    const own = this.#own;
    const { isLost, bodies } = this.#parts;
    let loaded = await (isRerun && !this.#begun.has(id)
      ? own.write((book) => book.begin(id, isLost))
      : own.read((book) => book.load(id)));
    this.#begun.add(id);
    if (loaded === undefined) return undefined;
    const { workflow, starts } = loaded.row;
    if (!bodies.has(workflow)) {
      await own.write((book) => book.lay(id));
      this.#logError(`workflow ${id} waits: this revision has no workflow ${workflow}`);
      return undefined;
    }
    loaded = await this.#settled(id, loaded);
    const times = Math.max(starts, this.#left.get(id) ?? 0);
    if (times > 1) await this.#pause(Math.min(pauseMs * 2 ** (times - 2), pauseMsMax));
    while (loaded !== undefined && this.#stale.delete(id))
      loaded = await this.#settled(id, await own.read((book) => book.load(id)));
    return loaded;
  }

  /** No body is run for the end of a workflow that has nothing to undo: it may never come to that. */
  async #settled(id: string, loaded: Loaded | undefined): Promise<Loaded | undefined> {
    if (loaded?.row.undoing === undefined || leftToUndo(loaded.entries).length > 0) return loaded;
    const end = endOf(loaded.row.undoing, failedBefore(loaded.entries), this.#parts.logName);
    await this.#own.write((book) => book.end(id, end));
    return undefined;
  }

  /** Before the body, not before its beginning is counted: whoever dies meanwhile has counted too. */
  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const disarm = this.#parts.world.after(ms, resolve);
    const end = (): void => {
      disarm();
      resolve();
    };
    this.#pauses.add(end);
    await promise;
    this.#pauses.delete(end);
  }

  /** What it logs, and what it leaves behind, is the workflow's. */
  #run(id: string, loaded: Loaded): void {
    const { name, bodies, world, log, logName } = this.#parts;
    const { workflow } = loaded.row;
    const body = bodies.get(workflow);
    if (body === undefined) return;
    const origin: Origin = { agent: name.agent, key: name.key, method: workflow, call: 0, request: id };
    const run = new WorkflowRun(
      {
        id,
        key: name.key,
        body,
        turns: this.#own,
        world,
        log: loggerOf(log, origin),
        logName,
        origin,
        faultOf: (error, what) => this.#faultOf(origin, error, what),
        rested: () => this.#next(),
        over: (ended, isWritten) => this.#over(id, ended, isWritten),
      },
      loaded,
    );
    this.#runs.set(id, run);
    run.start();
  }

  /** One that leaves again and again without getting on is run again later and later. */
  #over(id: string, run: WorkflowRun, isWritten: boolean): void {
    if (this.#runs.get(id) !== run) return;
    if (isWritten) this.#begun.delete(id);
    if (isWritten || run.hasAppended) this.#left.delete(id);
    else this.#left.set(id, (this.#left.get(id) ?? 0) + 1);
    this.#forget(id);
  }

  /** It has a place no longer. */
  #forget(id: string): void {
    this.#runs.delete(id);
    this.#stale.delete(id);
    this.#next();
  }

  #next(): void {
    for (const [id, isRerun] of this.#queue) {
      this.#queue.delete(id);
      void this.#begin(id, isRerun);
      return;
    }
  }

  /** Told as a handler's error is: what is not the caller's is in the log, under the id of the workflow. */
  #faultOf(origin: Origin, error: unknown, what = ""): StepFault {
    const { log, logName } = this.#parts;
    const { request: id = "" } = origin;
    const who = `${what}workflow ${JSON.stringify(id)}`;
    const { answer, level, message, facts } = endingOf(
      error,
      noInput,
      `${logName} has it as request ${id}`,
      who,
    );
    // nobody calls again for it: what an answer would say to its caller stands here
    log.say(level === "info" ? "warn" : level, message, facts, origin);
    return faultOf(answer.failure);
  }

  #logError(words: string, error?: unknown): void {
    const { name, log } = this.#parts;
    const more = error === undefined ? "" : endingOf(error, noInput, "").message;
    log.say("error", `${words}${more}`, {}, { ...name, method: "", call: 0 });
  }
}

/** Of an agent without any. */
export const noWorkflows = (agent: string): VodaError =>
  new VodaError("not_found", `agent ${agent} has no workflows`, { reason: "workflow_not_found" });
const readsOnly = (): never => {
  throw new VodaError(
    "invalid_argument",
    "a readonly handler starts, signals and cancels no workflow: let one that writes do it",
    { reason: "bad_request" },
  );
};
const notForOthers = (): VodaError =>
  new VodaError("permission_denied", "only the session itself calls this", { reason: "bad_request" });

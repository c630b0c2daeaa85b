// The workflows of one activation: whose body runs, and the turns of the session that they make
// (docs/workflows.md).
import type { SessionName } from "@voda/proto/session";
import { VodaError, type WorkflowBody, type WorkflowTurn, workflowTurns } from "voda/definition";
import type { Answer, Failure } from "../call/index.ts";
import { endingOf, noInput } from "./failure.ts";
import { type AgentLog, loggerOf } from "./log.ts";
import type { Origin } from "./origin.ts";
import {
  type Alarm,
  Book,
  type BookParts,
  type Happened,
  type Loaded,
  type WaitDue,
} from "./workflow-book.ts";
import type { WorkflowFault } from "./workflow-rows.ts";
import { OwnTurnLost, type OwnTurns, type TurnContext, WorkflowRun } from "./workflow-run.ts";
import type { ThreadWorld } from "./world.ts";

/** Bodies of a session at work at the same time; more wait. */
export const bodiesMax = 64;
const pauseMs = 1_000;
const pauseMsMax = 300_000;

/** `T`: a turn, as who runs it knows it. */
export interface WorkflowsParts<T> {
  readonly name: SessionName;
  readonly bodies: ReadonlyMap<string, WorkflowBody>;
  readonly world: ThreadWorld;
  readonly log: Pick<AgentLog, "say" | "print">;
  /** Where the log is, for those who read an error. */
  readonly logWords: string;
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

type Act = (book: Book, ctx: TurnContext) => void;

/** What calls of the session to itself say. */
interface Wanted {
  readonly own?: number;
  readonly life?: string;
  readonly due?: readonly [id: string, step: string];
  readonly tick?: true;
}

/** Their truth is the state: what is here goes with the activation. */
export class Workflows<T extends object> {
  readonly #parts: WorkflowsParts<T>;
  /** `undefined`: its journal is being read. */
  readonly #runs = new Map<string, WorkflowRun | undefined>();
  /** Journals that changed while they were read. */
  readonly #stale = new Set<string>();
  /** Those for which there is no place. */
  readonly #queue: string[] = [];
  readonly #books = new WeakMap<T, Book>();
  readonly #acts = new Map<number, Act>();
  /** Calls that an activation before this one made may come to this one. */
  readonly #life: string;
  #last = 0;
  #isClosed = false;

  constructor(parts: WorkflowsParts<T>) {
    this.#parts = parts;
    this.#life = Buffer.from(parts.world.bytes(16)).toString("hex");
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
    this.#acts.clear();
  }

  #bookOf(turn: T, state: object): Book {
    const method = workflowTurns.write;
    return this.#bookOver(state, (id, due, what) => this.#parts.timer(turn, { id, due, method, what }));
  }

  /** Without `timer`: to be read. */
  #bookOver(state: object, timer: BookParts["timer"] = () => undefined): Book {
    const { bodies, world } = this.#parts;
    const seed = (): string => Buffer.from(world.bytes(16)).toString("hex");
    return new Book({ state, workflows: bodies, nowMs: world.now, uuid: world.uuid, seed, timer });
  }

  /** What the host has its own handlers called for: a turn of ours, or a timer. */
  #perform(book: Book, ctx: TurnContext, what: unknown): void {
    const { own, life, due, tick } = what as Wanted;
    const { agent } = ctx.caller;
    const { name } = this.#parts;
    if (agent?.name !== name.agent || agent.key !== name.key) throw notForOthers();
    if (due !== undefined) book.due(...due);
    if (tick === true) {
      for (const id of book.wanted()) this.#rerun(book, id);
      book.awaitRevision();
    }
    if (own === undefined) return;
    const act = life === this.#life ? this.#acts.get(own) : undefined;
    if (act === undefined) throw ofAnotherLife();
    this.#acts.delete(own);
    act(book, ctx);
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

  /** What goes wrong with it is tried again with the next tick. */
  async #begin(id: string, isRerun: boolean): Promise<void> {
    if (this.#isClosed || this.#runs.has(id) || this.#queue.includes(id)) return;
    const atWork = Array.from(this.#runs.values()).filter((run) => run?.isParked !== true);
    if (atWork.length >= bodiesMax) {
      this.#queue.push(id);
      return;
    }
    this.#runs.set(id, undefined);
    try {
      const loaded = await this.#load(id, isRerun);
      if (loaded === undefined || this.#isClosed) this.#forget(id);
      else this.#run(id, loaded);
    } catch (error) {
      this.#forget(id);
      if (!(error instanceof OwnTurnLost)) this.#say("error", `workflow ${id}`, error);
    }
  }

  /** Its journal; `undefined` when there is nothing to run. */
  async #load(id: string, isRerun: boolean): Promise<Loaded | undefined> {
    const turns = this.#turns;
    let loaded = await (isRerun
      ? turns.write((book) => book.begin(id))
      : turns.read((book) => book.load(id)));
    if (loaded === undefined) return undefined;
    const { workflow, starts } = loaded.row;
    if (!this.#parts.bodies.has(workflow)) {
      await turns.write((book) => book.lay(id));
      this.#say("error", `workflow ${id} waits: this revision has no workflow ${workflow}`);
      return undefined;
    }
    if (starts > 1) await this.#pause(Math.min(pauseMs * 2 ** (starts - 2), pauseMsMax));
    while (loaded !== undefined && this.#stale.delete(id)) loaded = await turns.read((book) => book.load(id));
    return loaded;
  }

  /** Before the body, not before its beginning is counted: whoever dies meanwhile has counted too. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#parts.world.after(ms, resolve));
  }

  /** What it logs, and what it leaves behind, is the workflow's. */
  #run(id: string, loaded: Loaded): void {
    const { name, bodies, world, log } = this.#parts;
    const { workflow } = loaded.row;
    const body = bodies.get(workflow);
    if (body === undefined) return;
    const origin: Origin = { agent: name.agent, key: name.key, method: workflow, call: 0 };
    const run = new WorkflowRun(
      {
        id,
        key: name.key,
        body,
        turns: this.#turns,
        world,
        log: loggerOf(log, origin),
        origin,
        faultOf: (error) => this.#faultOf(error, origin),
        rested: () => this.#next(),
        over: (ended) => {
          if (this.#runs.get(id) === ended) this.#forget(id);
        },
      },
      loaded,
    );
    this.#runs.set(id, run);
    run.start();
  }

  /** It has a place no longer. */
  #forget(id: string): void {
    this.#runs.delete(id);
    this.#stale.delete(id);
    this.#next();
  }

  #next(): void {
    const id = this.#queue.shift();
    if (id !== undefined) void this.#begin(id, false);
  }

  readonly #turns: OwnTurns = {
    write: (act) => this.#own(workflowTurns.write, act),
    read: (act) => this.#own(workflowTurns.read, act),
  };

  /** The act waits here: whoever has the session next does not have it, and refuses. */
  async #own<R>(method: string, act: (book: Book, ctx: TurnContext) => R): Promise<R> {
    this.#last += 1;
    const own = this.#last;
    let ended: { readonly value: R } | { readonly error: unknown } | undefined;
    this.#acts.set(own, (book, ctx) => {
      try {
        ended = { value: act(book, ctx) };
      } catch (error) {
        ended = { error };
        throw error;
      }
    });
    const answer = await this.#parts.call(method, { own, life: this.#life } satisfies Wanted);
    this.#acts.delete(own);
    return outcomeOf(answer, ended);
  }

  /** Told as a handler's error is: what is not the caller's is in the log. */
  #faultOf(error: unknown, origin: Origin): WorkflowFault {
    const { answer, level, message, facts } = endingOf(error, noInput, this.#parts.logWords);
    this.#parts.log.say(level, message, facts, origin);
    const { code, reason, message: words } = answer.failure;
    return { code, reason, message: words };
  }

  #say(level: "error", message: string, error?: unknown): void {
    const { name, log } = this.#parts;
    const { message: words } = error === undefined ? { message: "" } : endingOf(error, noInput, "");
    log.say(
      level,
      error === undefined ? message : `${message}: ${words}`,
      {},
      { ...name, method: "", call: 0 },
    );
  }
}

/** @throws what the act threw, VodaError for what its turn may not do, OwnTurnLost */
function outcomeOf<T>(
  answer: Answer,
  ended: { readonly value: T } | { readonly error: unknown } | undefined,
): T {
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
const ofAnotherLife = (): VodaError =>
  new VodaError("canceled", "the workflow whose turn this is runs elsewhere, or again", {
    reason: "interrupted",
  });

// One session in a worker: its state, its mailbox, the handlers that run. The turn machine decides, this
// does.
import { turnBytesMax } from "@voda/proto/wire";
import { assert, unreachable } from "@voda/stdx";
import { type Handler, isBeingChecked, isThenable, VodaError } from "voda/definition";
import {
  type AbandonReason,
  type Answer,
  encodeAnswer,
  type Failed,
  fail,
  type OutboxChange,
  type Recalled,
  type SessionCall,
  type StepAnswer,
} from "../call/index.ts";
import type { BegunWriter } from "../threads/index.ts";
import {
  createEntrant,
  type Entrant,
  feedTurn,
  mayStart,
  openTurn,
  queueCall,
  type Rounds,
  startNext,
  type Turn,
  type TurnEffect,
  type TurnEvent,
} from "../turn/index.ts";
import { canonicalHash } from "./canonical.ts";
import { Abort, Context } from "./context.ts";
import { decodeInput, encodeOutput } from "./convert.ts";
import { answerProblem, encodeFailed, endingOf, isOutcome, noInput } from "./failure.ts";
import type { AgentLog } from "./log.ts";
import { enterOrigin, originOf } from "./origin.ts";
import type { Running } from "./running.ts";
import type { TurnSends } from "./sends.ts";
import { type OpenedSession, TurnOutside } from "./turn-outside.ts";
import { abortReason, turnLimitName } from "./turn-words.ts";
import { isToldByWorkflow } from "./workflow-own.ts";

/** What the host opened: one session, in one life of its thread. */
export interface ActivationOptions extends OpenedSession {
  /** Names this activation in the deltas of texts: never the same for another activation of the session. */
  readonly epoch: number;
  readonly turnMsMax: number;
  readonly log: Pick<AgentLog, "say" | "print" | "settle">;
  readonly begun: Pick<BegunWriter, "begin" | "synchronous" | "end">;
  /** Of its thread. */
  readonly rounds: Pick<Rounds, "enter">;
  /** Of what this thread has said and the host has no room for yet. */
  readonly waitingBytes: () => number;
  /** Voda's own work for a turn threw, after its handler had waited: whatever it was, it is not known now. */
  readonly broken: (error: unknown) => void;
}

/** A call that the machine knows, and where it is marked as begun; `undefined` before. */
interface Handed {
  readonly call: SessionCall;
  mark: number | undefined;
}

const noBytes = new Uint8Array(0);

/** Obeys the turn machine of one session. */
export class WorkerActivation {
  readonly #options: ActivationOptions;
  readonly #turn: Turn;
  readonly #entrant: Entrant;
  /** Calls that the machine knows and that have not ended. */
  readonly #calls = new Map<number, Handed>();
  readonly #running = new Map<number, Running>();
  readonly #outside: TurnOutside;

  constructor(options: ActivationOptions) {
    this.#options = options;
    this.#turn = openTurn(options.number);
    this.#entrant = createEntrant((nowMs) => this.#performAll(startNext(this.#turn, nowMs)));
    this.#outside = new TurnOutside({
      session: options,
      isRunning: (running) => this.#isRunning(running),
      endTurn: (call, failure) => {
        const running = this.#running.get(call);
        if (running !== undefined) this.#refuse(running, { ok: false, failure });
      },
    });
  }

  /** It begins when it is the session's turn. */
  run(call: SessionCall): void {
    this.#calls.set(call.head.number, { call, mark: undefined });
    queueCall(this.#turn, call.head);
    this.#enter();
  }

  /** What the call means, however it is written. */
  identify(call: SessionCall): Uint8Array | undefined {
    const handler = this.#options.handlers.get(call.method);
    return handler && canonicalHash(handler, call);
  }

  cancel(call: number, why: AbandonReason): void {
    this.#feed({ type: "cancel", call, why });
  }

  /** What a handler asked of another session is answered. */
  askAnswered(askId: number, answer: Answer): void {
    this.#outside.askAnswered(askId, answer);
  }

  /** The call, which comes next, ran before. */
  recall(call: number, recalled: Recalled): void {
    this.#outside.recall(call, recalled);
  }

  /** What becomes of a step that a handler wants to do, or has done. */
  stepAnswered(step: number, answer: StepAnswer): void {
    this.#outside.stepAnswered(step, answer);
  }

  /** So much of what the session has sent was found at its opening, or is over. */
  outbox(change: OutboxChange): void {
    this.#outside.outbox(change);
  }

  cut(): void {
    this.#feed({ type: "cut" });
  }

  close(): void {
    this.#outside.close();
    this.#feed({ type: "close" });
    for (const call of this.#running.keys()) this.#end(call);
    for (const call of this.#calls.keys()) this.#forget(call);
    const { name, log } = this.#options;
    log.settle({ agent: name.agent, key: name.key });
  }

  #feed(event: TurnEvent): void {
    this.#performAll(feedTurn(this.#turn, event));
  }

  #performAll(effects: readonly TurnEffect[]): void {
    for (const effect of effects) this.#perform(effect);
    this.#enter();
  }

  #enter(): void {
    if (mayStart(this.#turn)) this.#options.rounds.enter(this.#entrant, this.#turn.waitingBytes);
  }

  #perform(effect: TurnEffect): void {
    switch (effect.type) {
      case "start":
        this.#start(effect.call);
        return;
      case "abort":
        this.#running.get(effect.call)?.abort.abort(new VodaError(...abortReason(effect.why)));
        return;
      case "apply": // the commit that made the delta has applied it, in this very step
        this.#end(effect.call);
        return;
      case "discard": {
        const running = this.#end(effect.call);
        if (running !== undefined && "rollback" in running.scope) running.scope.rollback();
        return;
      }
      case "snapshot":
        this.#sayCut(effect.after);
        return;
      case "say":
        this.#end(effect.message.call); // of a reader: nothing else ends its view
        this.#options.say(effect.message);
        this.#forget(effect.message.call);
        return;
      default:
        unreachable(effect);
    }
  }

  #sayCut(after: number): void {
    const { number: activation, say, state } = this.#options;
    for (const bytes of state.snapshot()) say({ type: "cut_page", activation, bytes });
    say({ type: "cut", activation, after });
  }

  #start(number: number): void {
    const handed = this.#calls.get(number);
    assert(handed !== undefined, `the machine starts call ${number}, which never came`);
    const { call } = handed;
    const handler = this.#options.handlers.get(call.method);
    const { readonly } = call.head;
    // The node chose by the definitions that it has; a thread of another revision may know the method
    // otherwise.
    if (handler === undefined || (handler.mode === "readonly") !== readonly) {
      this.#throw(
        number,
        fail(
          "draining",
          `this revision has no ${readonly ? "readonly " : ""}method ${call.method}; it is being rolled out: retry`,
        ),
      );
      return;
    }
    const { state, name, begun, turnMsMax } = this.#options;
    const running: Running = {
      call,
      origin: originOf(name.agent, name.key, call),
      handler,
      scope: readonly ? state.view() : state.begin(),
      abort: new Abort(),
      turnMsMax: (handler.type === "plain" ? handler.turnMsMax : undefined) ?? turnMsMax,
      disarm: undefined,
      input: undefined,
      context: undefined,
      draws: undefined,
      names: undefined,
      sends: { sends: [], bytes: 0, strange: undefined },
      hasSteps: false,
      hasResult: false,
    };
    this.#running.set(number, running);
    // Before the first line of the agent runs: if that one ends the thread, the host must know whose it was.
    handed.mark = begun.begin(number);
    this.#runHandler(running);
    // It waits, or is over: whatever ends the thread from here on is not its synchronous part.
    begun.synchronous(0);
  }

  /** Everything of the agent's own runs inside, its getters included: what it throws is the call's end. */
  #runHandler(running: Running): void {
    const { call, handler, scope, abort, origin, turnMsMax } = running;
    const { world, name } = this.#options;
    const { key } = name;
    enterOrigin(origin);
    let result: unknown;
    try {
      running.input = decodeInput(handler, call.content, call.body);
      const { caller, chain } = call;
      const { state } = scope;
      const context = new Context({ key, state, caller, chain, abort, host: this.#outside, turn: running });
      running.context = context;
      result = handler.run(context, running.input);
      if (isThenable(result)) {
        running.disarm = world.after(
          turnMsMax,
          this.#guarded(() => this.#tooLong(running)),
        );
        // a thenable of the agent's own may throw or settle twice
        Promise.resolve(result).then(
          this.#guarded((value: unknown) => this.#returned(running, value)),
          this.#guarded((error: unknown) => this.#failed(running, error)),
        );
        return;
      }
    } catch (error) {
      this.#failed(running, error);
      return;
    }
    this.#returned(running, result);
  }

  /** What is committed is answered as it is, so all that can be refused is looked at before. */
  #returned(running: Running, result: unknown): void {
    if (!this.#isRunning(running) || running.sends === undefined) return;
    const { sends } = running;
    running.sends = undefined;
    this.#outside.returned(running);
    const checked = this.#outside.check(running.call.head.number, sends);
    if (checked === undefined) {
      this.#commit(running, result, sends);
      return;
    }
    checked.then(
      this.#guarded(() => this.#commit(running, result, sends)),
      this.#guarded((error: unknown) => this.#failed(running, error)),
    );
  }

  /** What goes on later: a turn that is lost without a word would be missing in the lane for ever. */
  #guarded<A extends unknown[]>(act: (...given: A) => void): (...given: A) => void {
    return (...given) => {
      try {
        act(...given);
      } catch (error) {
        this.#options.broken(error);
      }
    };
  }

  #commit(running: Running, result: unknown, sends: TurnSends): void {
    if (!this.#isRunning(running)) return;
    const { call, handler, scope } = running;
    const { number } = call.head;
    const answer = encodeOutput(handler, call.content, result);
    if (!answer.ok) {
      this.#options.log.say("error", `handler failed: ${answer.failure.message}`, {}, running.origin);
      this.#throw(number, answer);
      return;
    }
    const encoded = encodeAnswer(answer);
    const problem = answerProblem(encoded.length, this.#options.waitingBytes());
    if (problem !== undefined) {
      this.#refuse(running, problem);
      return;
    }
    // A reader's view has nothing to commit.
    if (!("commit" in scope)) {
      this.#feed({
        type: "succeeded",
        call: number,
        delta: noBytes,
        answer: encoded,
        canonicalHash: undefined,
        sends: sends.sends,
      });
      return;
    }
    let delta: Uint8Array;
    try {
      delta = scope.commit(this.#options.epoch, turnBytesMax - encoded.length - sends.bytes) ?? noBytes;
    } catch (error) {
      this.#failed(running, error);
      return;
    }
    // Only a call with an id can be sent again, and its repetition is told from another call by this hash.
    const canonical = call.head.id === undefined ? undefined : canonicalHash(handler, call);
    this.#outside.take(sends);
    this.#feed({
      type: "succeeded",
      call: number,
      delta,
      answer: encoded,
      canonicalHash: canonical,
      sends: sends.sends,
    });
    this.#outside.committed(running);
  }

  /** The caller is told what it may know; the rest is a line of the log that it is told of. */
  #failed(running: Running, error: unknown): void {
    if (!this.#isRunning(running)) return;
    const { input = missingOf(running.handler) } = running;
    const { answer, level, message, facts } = endingOf(error, input, this.#logWords(running));
    if (!isToldByWorkflow(error)) this.#options.log.say(level, message, facts, running.origin);
    if (running.hasResult && isOutcome(running.call.head, answer)) this.#conclude(running, answer);
    else this.#throw(running.call.head.number, answer);
  }

  /** The turn changes nothing, and its error is its answer: whoever calls again under the id has it too. */
  #conclude(running: Running, answer: Failed): void {
    const { call, handler, scope } = running;
    if (!("rollback" in scope)) return;
    scope.rollback();
    this.#feed({
      type: "succeeded",
      call: call.head.number,
      delta: noBytes,
      answer: encodeFailed(answer),
      canonicalHash: canonicalHash(handler, call),
      sends: [],
    });
  }

  #tooLong(running: Running): void {
    const { handler, abort, turnMsMax } = running;
    const limit = turnLimitName(handler);
    const why = `the turn ran longer than ${limit} ${turnMsMax} ms`;
    abort.abort(new VodaError("deadline_exceeded", why, { reason: "turn_timeout" }));
    if (!this.#isRunning(running)) return;
    this.#refuse(
      running,
      fail("turn_timeout", `${why} and was undone: ${this.#awaitedBy(running)}, or raise ${limit}`),
    );
  }

  #awaitedBy({ context, call }: Running): string {
    if (context !== undefined && isBeingChecked(context))
      return "its handler did not begin: the schema of its input still awaits something; give that a time limit";
    const { number } = call.head;
    const awaited = this.#outside.waitedFor(number) ?? "something";
    return `its handler still awaits ${awaited}; give what it awaits a time limit or ctx.signal`;
  }

  #refuse(running: Running, answer: Failed): void {
    this.#options.log.say("warn", `handler failed: ${answer.failure.message}`, {}, running.origin);
    this.#throw(running.call.head.number, answer);
  }

  /** Where the caller's operator finds what the caller is not told. */
  #logWords({ origin: { request } }: Running): string {
    const where = `${this.#options.logName} has it`;
    return request === undefined ? where : `${where} as request ${request}`;
  }

  #throw(call: number, answer: Failed): void {
    this.#feed({ type: "threw", call, answer: encodeFailed(answer) });
    this.#end(call);
  }

  #isRunning(running: Running): boolean {
    return this.#running.get(running.call.head.number) === running;
  }

  /** The handler may still run; nothing that it does counts any more. */
  #end(call: number): Running | undefined {
    const running = this.#running.get(call);
    if (running === undefined) return undefined;
    this.#running.delete(call);
    this.#outside.end(call);
    running.disarm?.();
    if ("close" in running.scope) running.scope.close();
    return running;
  }

  /**
   * What it ended with is in the ring by then, or waits for room there: the host has it, or knows that
   * something waits.
   */
  #forget(call: number): void {
    const mark = this.#calls.get(call)?.mark;
    this.#calls.delete(call);
    this.#outside.forget(call);
    if (mark !== undefined) this.#options.begun.end(mark);
  }
}

/** A handler that names no parameter for it takes none. */
const missingOf = (handler: Handler): undefined | typeof noInput =>
  handler.type === "plain" && handler.run.length < 2 ? noInput : undefined;

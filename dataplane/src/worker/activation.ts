// One session in a worker: its state, its mailbox, the handlers that run. The turn machine decides, this
// does.
import type { SessionName } from "@voda/proto/session";
import { turnBytesMax } from "@voda/proto/wire";
import type { SessionState, Transaction, View } from "@voda/state";
import { assert, unreachable } from "@voda/stdx";
import {
  type AskRequest,
  type Handler,
  type HostContext,
  isBeingChecked,
  isThenable,
  type RunRequest,
  type SendRequest,
  VodaError,
  type WorkflowBody,
  type WorkflowTurn,
  workflowTurns,
} from "voda/definition";
import {
  type AbandonReason,
  type Answer,
  encodeAnswer,
  type Failed,
  type Failure,
  fail,
  type OutboxChange,
  type Recalled,
  type SessionCall,
  type StepAnswer,
} from "../call/index.ts";
import type { BegunWriter, SessionMessage } from "../threads/index.ts";
import { feedTurn, openTurn, type Turn, type TurnEffect, type TurnEvent } from "../turn/index.ts";
import { PendingAsks } from "./asks.ts";
import { canonicalHash } from "./canonical.ts";
import { Abort, Context, type TurnHost } from "./context.ts";
import { decodeInput, encodeOutput } from "./convert.ts";
import { TurnDraws } from "./draws.ts";
import { siteOf } from "./failed-ask.ts";
import { answerProblem, encodeFailed, endingOf, isOutcome, noInput } from "./failure.ts";
import { type AgentLog, loggerOf } from "./log.ts";
import { currentStep, enterOrigin, type Origin, originOf } from "./origin.ts";
import { KnownTargets, OutboxRoom, type TurnSends } from "./sends.ts";
import { endedTurn, notInStep, Steps, stepReadonly } from "./steps.ts";
import { abortReason, askWay, sendsLate, sendsReadonly, turnLimitName } from "./turn-words.ts";
import { noWorkflows, type OwnTimer, Workflows } from "./workflows.ts";
import type { ThreadWorld } from "./world.ts";

/** What the host opened: one session, in one life of its thread. */
export interface ActivationOptions {
  readonly number: number;
  /** Where the log is found, in words: `the log of node n1`. */
  readonly logName: string;
  readonly name: SessionName;
  /** Names this activation in the deltas of texts: never the same for another activation of the session. */
  readonly epoch: number;
  readonly state: SessionState;
  /** Who had it before put it to sleep: no thread or node has ended with it in memory. */
  readonly isReleased: boolean;
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly workflows: ReadonlyMap<string, WorkflowBody>;
  readonly turnMsMax: number;
  readonly log: Pick<AgentLog, "say" | "print" | "settle">;
  readonly begun: Pick<BegunWriter, "begin" | "synchronous" | "end">;
  readonly world: ThreadWorld;
  /** For the host, in this order. */
  readonly say: (message: SessionMessage) => void;
  /** Of what this thread has said and the host has no room for yet. */
  readonly waitingBytes: () => number;
  /** Voda's own work for a turn threw, after its handler had waited: whatever it was, it is not known now. */
  readonly broken: (error: unknown) => void;
}

/** A handler that has begun; once it is not in `#running` any more, nothing that it does counts. */
interface Running {
  readonly call: SessionCall;
  readonly origin: Origin;
  readonly handler: Handler;
  readonly scope: Transaction | View;
  readonly abort: Abort;
  disarm: (() => void) | undefined;
  /** `undefined` also for a body that is no input. */
  input: unknown;
  /** `undefined` before the body was read. */
  context: Context<Running> | undefined;
  /** `undefined` before it is asked for one of them. */
  draws: TurnDraws | undefined;
  /** `undefined` when the handler has ended. */
  sends: TurnSends | undefined;
  hasSteps: boolean;
  /** The result of a step is kept until the turn takes place, or its call cannot come again. */
  hasResult: boolean;
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
  /** Calls that the machine knows and that have not ended. */
  readonly #calls = new Map<number, Handed>();
  readonly #running = new Map<number, Running>();
  readonly #asks: PendingAsks;
  /** `undefined` before a handler does something outside. */
  #steps: Steps | undefined;
  readonly #room: OutboxRoom;
  readonly #targets = new KnownTargets();
  /** Of agents that have some. */
  readonly #workflows: Workflows<Running> | undefined;

  constructor(options: ActivationOptions) {
    this.#options = options;
    this.#turn = openTurn(options.number);
    this.#room = new OutboxRoom(options.world.now);
    this.#asks = new PendingAsks({
      activation: options.number,
      name: options.name,
      nowMs: options.world.monotonicMs,
      say: options.say,
    });
    const hasWorkflows = options.handlers.has(workflowTurns.write);
    this.#workflows = hasWorkflows ? this.#openWorkflows(options) : undefined;
  }

  #openWorkflows(options: ActivationOptions): Workflows<Running> {
    const { name, workflows: bodies, world, log, logName, state, isReleased } = options;
    const workflows = new Workflows<Running>({
      name,
      bodies,
      world,
      log,
      logName,
      isLost: !isReleased,
      call: (method, body) => this.#asks.own(method, body),
      timer: (running, timer) => this.#setTimer(running, timer),
    });
    const view = state.view();
    workflows.open(view.state);
    view.close();
    return workflows;
  }

  /** The session has itself called later. */
  #setTimer(running: Running, { id, due, method, what }: OwnTimer): void {
    const { agent, key } = this.#options.name;
    const target = due.type === "never" ? { agent: "", key: "", method: "" } : { agent, key, method };
    this.#send(running, {
      way: "a workflow",
      ...target,
      body: what && JSON.stringify(what),
      timing: { id, due },
    });
  }

  /** What a handler does of the world outside of its turn, with its context. */
  readonly #host: TurnHost<Running> = {
    log: ({ origin }) => loggerOf(this.#options.log, origin),
    ask: (running, request) => this.#ask(running, request),
    send: (running, request) => this.#send(running, request),
    run: (running, request) => this.#runStep(running, request),
    draws: (running) => this.#drawsOf(running) ?? this.#options.world,
    gather: () => this.#options.world.gather,
    nowMs: () => this.#options.world.now(),
    workflows: (running, context) => this.#workflowsOf(running, context),
  };

  /** The call is known before the machine hears of it: it may start the handler in this very step. */
  run(call: SessionCall): void {
    this.#calls.set(call.head.number, { call, mark: undefined });
    this.#feed({ type: "run", call: call.head });
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
    this.#asks.answered(askId, answer);
  }

  /** The call, which comes next, ran before. */
  recall(call: number, recalled: Recalled): void {
    this.#openSteps().recall(call, recalled);
  }

  /** What becomes of a step that a handler wants to do, or has done. */
  stepAnswered(step: number, answer: StepAnswer): void {
    this.#steps?.answered(step, answer);
  }

  /** So much of what the session has sent was found at its opening, or is over. */
  outbox(change: OutboxChange): void {
    this.#room.change(change);
  }

  cut(): void {
    this.#feed({ type: "cut" });
  }

  close(): void {
    this.#workflows?.close();
    this.#feed({ type: "close" });
    for (const call of this.#running.keys()) this.#end(call);
    for (const call of this.#calls.keys()) this.#forget(call);
    const { name, log } = this.#options;
    log.settle({ agent: name.agent, key: name.key });
  }

  #feed(event: TurnEvent): void {
    for (const effect of feedTurn(this.#turn, event, this.#options.world.monotonicMs()))
      this.#perform(effect);
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
    const { state, name, begun } = this.#options;
    const running: Running = {
      call,
      origin: originOf(name.agent, name.key, call),
      handler,
      scope: readonly ? state.view() : state.begin(),
      abort: new Abort(),
      disarm: undefined,
      input: undefined,
      context: undefined,
      draws: undefined,
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
    const { call, handler, scope, abort, origin } = running;
    const { world, name } = this.#options;
    const { key } = name;
    enterOrigin(origin);
    let result: unknown;
    try {
      running.input = decodeInput(handler, call.content, call.body);
      const { caller, chain } = call;
      const { state } = scope;
      const context = new Context({ key, state, caller, chain, abort, host: this.#host, turn: running });
      running.context = context;
      result = handler.run(context, running.input);
      if (isThenable(result)) {
        running.disarm = world.after(
          this.#turnMsMax(handler),
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

  #ask(running: Running, request: AskRequest): Promise<unknown> {
    const step = this.#stepOf(running);
    if (step !== undefined) return Promise.reject(notInStep(askWay(request), step));
    if (this.#isRunning(running))
      return this.#asks.ask(running.call, request, this.#turnMsMax(running.handler));
    return this.#asks.askLate(request);
  }

  #send(running: Running, request: SendRequest): void {
    const { sends, call } = running;
    if (sends === undefined || !this.#isRunning(running)) throw sendsLate(request.way);
    if (call.head.readonly) throw sendsReadonly(request.way);
    const step = this.#stepOf(running);
    if (step !== undefined) throw notInStep(request.way, step);
    this.#room.add(sends, request);
    this.#targets.note(sends, request, siteOf);
  }

  #workflowsOf(running: Running, context: HostContext): WorkflowTurn {
    if (!this.#isRunning(running)) throw sendsLate("ctx.start");
    const step = this.#stepOf(running);
    if (step !== undefined) throw notInStep("ctx.start or ctx.notify", step);
    if (this.#workflows === undefined) throw noWorkflows(this.#options.name.agent);
    return this.#workflows.turnOf(running, context, running.call.head.readonly);
  }

  async #runStep(running: Running, request: RunRequest): Promise<unknown> {
    const { call, abort, origin, handler } = running;
    if (call.head.readonly) throw stepReadonly();
    if (!this.#isRunning(running)) throw endedTurn(request.name);
    const step = this.#stepOf(running);
    if (step !== undefined) throw notInStep(`ctx.run(${JSON.stringify(request.name)})`, step);
    this.#guardWrites(running);
    const result = await this.#openSteps().run(
      {
        call: call.head.number,
        origin,
        canonicalHash: () => (call.head.id === undefined ? undefined : canonicalHash(handler, call)),
        draws: this.#drawsOf(running),
        abort,
        onRetry: (message) => this.#options.log.say("warn", message, {}, origin),
      },
      request,
    );
    running.hasResult = true;
    return result;
  }

  /** Only now: a turn without steps pays nothing for it. */
  #guardWrites(running: Running): void {
    const { hasSteps, scope } = running;
    if (hasSteps || !("guard" in scope)) return;
    running.hasSteps = true;
    scope.guard((field) => {
      const step = this.#stepOf(running);
      if (step !== undefined) throw notInStep(`a write to state.${field}`, step);
    });
  }

  /** The step of the turn whose function runs now. */
  #stepOf({ hasSteps, call }: Running): string | undefined {
    return hasSteps ? currentStep(call.head.number) : undefined;
  }

  /** `undefined`: nobody can have the turn run again. */
  #drawsOf(running: Running): TurnDraws | undefined {
    const { number, id, readonly } = running.call.head;
    if (id === undefined || readonly) return undefined;
    running.draws ??= new TurnDraws(
      this.#steps?.recalledOf(number),
      this.#options.world,
      () => this.#stepOf(running) !== undefined,
    );
    return running.draws;
  }

  #openSteps(): Steps {
    const { number: activation, say, world } = this.#options;
    const endTurn = (call: number, failure: Failure): void => {
      const running = this.#running.get(call);
      if (running !== undefined) this.#refuse(running, { ok: false, failure });
    };
    this.#steps ??= new Steps({ activation, say, after: world.after, endTurn });
    return this.#steps;
  }

  /** What is committed is answered as it is, so all that can be refused is looked at before. */
  #returned(running: Running, result: unknown): void {
    if (!this.#isRunning(running) || running.sends === undefined) return;
    const { sends } = running;
    running.sends = undefined;
    const { strange } = sends;
    if (strange === undefined) {
      this.#commit(running, result, sends);
      return;
    }
    const checks = [...strange.values()].map((one) => this.#asks.check(running.call.head.number, one));
    Promise.all(checks).then(
      this.#guarded(() => {
        this.#targets.know(strange.values());
        this.#commit(running, result, sends);
      }),
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
    this.#room.take(sends);
    this.#feed({
      type: "succeeded",
      call: number,
      delta,
      answer: encoded,
      canonicalHash: canonical,
      sends: sends.sends,
    });
    this.#workflows?.committed(running);
  }

  /** The caller is told what it may know; the rest is a line of the log that it is told of. */
  #failed(running: Running, error: unknown): void {
    if (!this.#isRunning(running)) return;
    const { input = missingOf(running.handler) } = running;
    const { answer, level, message, facts } = endingOf(error, input, this.#logWords(running));
    this.#options.log.say(level, message, facts, running.origin);
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

  /** A handler's own timeout goes before its agent's `maxTurn`. */
  #turnMsMax(handler: Handler): number {
    return (handler.type === "plain" ? handler.turnMsMax : undefined) ?? this.#options.turnMsMax;
  }

  #tooLong(running: Running): void {
    const { handler, abort } = running;
    const limit = turnLimitName(handler);
    const why = `the turn ran longer than ${limit} ${this.#turnMsMax(handler)} ms`;
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
    const awaited = this.#asks.waitedFor(number) ?? this.#steps?.waitedFor(number) ?? "something";
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
    this.#asks.end(call);
    this.#steps?.end(call);
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
    this.#steps?.forget(call);
    if (mark !== undefined) this.#options.begun.end(mark);
  }
}

/** A handler that names no parameter for it takes none. */
const missingOf = (handler: Handler): undefined | typeof noInput =>
  handler.type === "plain" && handler.run.length < 2 ? noInput : undefined;

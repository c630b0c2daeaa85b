// What the handlers of one activation do of the world outside of their turns, each by its context.
import type { SessionName } from "@voda/proto/session";
import type { SessionState } from "@voda/state";
import {
  type AskRequest,
  type Handler,
  type HostContext,
  type NameFunction,
  type RunRequest,
  type SendRequest,
  type WorkflowBody,
  type WorkflowTurn,
  workflowTurns,
} from "voda/definition";
import type { Answer, Failure, OutboxChange, Recalled, StepAnswer } from "../call/index.ts";
import type { SessionMessage } from "../threads/index.ts";
import { PendingAsks } from "./asks.ts";
import { canonicalHash } from "./canonical.ts";
import type { TurnHost } from "./context.ts";
import { type Draws, TurnDraws } from "./draws.ts";
import { siteOf } from "./failed-ask.ts";
import { type AgentLog, loggerOf } from "./log.ts";
import { NamedSessions } from "./names.ts";
import { guardWrites, type Running, stepOf } from "./running.ts";
import { KnownTargets, OutboxRoom, type TurnSends } from "./sends.ts";
import { endedTurn, notInStep, Steps, stepReadonly } from "./steps.ts";
import { askWay, sendsLate, sendsReadonly } from "./turn-words.ts";
import { noWorkflows, type OwnTimer, Workflows } from "./workflows.ts";
import type { ThreadWorld } from "./world.ts";

/** One session, in one life of its thread. */
export interface OpenedSession {
  readonly number: number;
  /** Where the log is found, in words: `the log of node n1`. */
  readonly logName: string;
  readonly name: SessionName;
  readonly state: SessionState;
  /** Who had it before put it to sleep: no thread or node has ended with it in memory. */
  readonly isReleased: boolean;
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly workflows: ReadonlyMap<string, WorkflowBody>;
  readonly log: Pick<AgentLog, "say" | "print">;
  readonly world: ThreadWorld;
  /** For the host, in this order. */
  readonly say: (message: SessionMessage) => void;
}

interface OutsideParts {
  readonly session: OpenedSession;
  readonly isRunning: (running: Running) => boolean;
  /** The turn of that call is over, if it is not yet. */
  readonly endTurn: (call: number, failure: Failure) => void;
}

/** Whose turn has ended reaches nothing by it any more. */
export class TurnOutside implements TurnHost<Running> {
  readonly #session: OpenedSession;
  readonly #isRunning: OutsideParts["isRunning"];
  readonly #endTurn: OutsideParts["endTurn"];
  readonly #asks: PendingAsks;
  /** `undefined` before a handler does something outside. */
  #steps: Steps | undefined;
  readonly #room: OutboxRoom;
  readonly #targets = new KnownTargets();
  readonly #names = new NamedSessions();
  /** Of agents that have some. */
  readonly #workflows: Workflows<Running> | undefined;

  constructor({ session, isRunning, endTurn }: OutsideParts) {
    this.#session = session;
    this.#isRunning = isRunning;
    this.#endTurn = endTurn;
    this.#room = new OutboxRoom(session.world.now);
    this.#asks = new PendingAsks({
      activation: session.number,
      name: session.name,
      nowMs: session.world.monotonicMs,
      say: session.say,
    });
    const hasWorkflows = session.handlers.has(workflowTurns.write);
    this.#workflows = hasWorkflows ? this.#openWorkflows(session) : undefined;
  }

  log({ origin }: Running): ReturnType<typeof loggerOf> {
    return loggerOf(this.#session.log, origin);
  }

  named(running: Running, ...of: Parameters<NameFunction>): () => void {
    running.names ??= new Map();
    return this.#names.open(running.names, running.call.method, of);
  }

  ask(running: Running, request: AskRequest): Promise<unknown> {
    const step = stepOf(running);
    if (step !== undefined) return Promise.reject(notInStep(askWay(request), step));
    if (this.#isRunning(running)) return this.#asks.ask(running.call, request, running.turnMsMax);
    return this.#asks.askLate(request);
  }

  send(running: Running, request: SendRequest): void {
    const { sends, call } = running;
    if (sends === undefined || !this.#isRunning(running)) throw sendsLate(request.way);
    if (call.head.readonly) throw sendsReadonly(request.way);
    const step = stepOf(running);
    if (step !== undefined) throw notInStep(request.way, step);
    this.#room.add(sends, request);
    this.#targets.note(sends, request, siteOf);
  }

  async run(running: Running, request: RunRequest): Promise<unknown> {
    const { call, abort, origin, handler } = running;
    if (call.head.readonly) throw stepReadonly();
    if (!this.#isRunning(running)) throw endedTurn(request.name);
    const step = stepOf(running);
    if (step !== undefined) throw notInStep(`ctx.run(${JSON.stringify(request.name)})`, step);
    guardWrites(running);
    const result = await this.#openSteps().run(
      {
        call: call.head.number,
        origin,
        canonicalHash: () => (call.head.id === undefined ? undefined : canonicalHash(handler, call)),
        draws: this.#drawsOf(running),
        abort,
        onRetry: (message) => this.#session.log.say("warn", message, {}, origin),
      },
      request,
    );
    running.hasResult = true;
    return result;
  }

  draws(running: Running): Draws {
    return this.#drawsOf(running) ?? this.#session.world;
  }

  gather(): ReturnType<TurnHost<Running>["gather"]> {
    return this.#session.world.gather;
  }

  nowMs(): number {
    return this.#session.world.now();
  }

  workflows(running: Running, context: HostContext): WorkflowTurn {
    if (!this.#isRunning(running)) throw sendsLate("ctx.start");
    const step = stepOf(running);
    if (step !== undefined) throw notInStep("ctx.start, ctx.notify or ctx.cancelWorkflow", step);
    if (this.#workflows === undefined) throw noWorkflows(this.#session.name.agent);
    return this.#workflows.turnOf(running, context, running.call.head.readonly);
  }

  /** The handler has returned. */
  returned({ names, origin }: Running): void {
    if (names === undefined || names.size === 0) return;
    for (const { message, ...facts } of this.#names.uncalled(names))
      this.#session.log.say("warn", message, facts, origin);
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

  /** Of what the turn sends; `undefined`: the session has sent to all of those handlers before. */
  check(call: number, { strange }: TurnSends): Promise<void> | undefined {
    if (strange === undefined) return undefined;
    const checks = [...strange.values()].map((one) => this.#asks.check(call, one));
    return Promise.all(checks).then(() => this.#targets.know(strange.values()));
  }

  /** The turn takes place. */
  take(sends: TurnSends): void {
    this.#room.take(sends);
  }

  /** The machine knows that the turn took place. */
  committed(running: Running): void {
    this.#workflows?.committed(running);
  }

  /** What the call waits for, in words. */
  waitedFor(call: number): string | undefined {
    return this.#asks.waitedFor(call) ?? this.#steps?.waitedFor(call);
  }

  /** The turn has ended: nothing that it began comes back to it. */
  end(call: number): void {
    this.#asks.end(call);
    this.#steps?.end(call);
  }

  forget(call: number): void {
    this.#steps?.forget(call);
  }

  close(): void {
    this.#workflows?.close();
  }

  #openWorkflows(session: OpenedSession): Workflows<Running> {
    const { name, workflows: bodies, world, log, logName, state, isReleased } = session;
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
    const { agent, key } = this.#session.name;
    const target = due.type === "never" ? { agent: "", key: "", method: "" } : { agent, key, method };
    this.send(running, {
      way: "a workflow",
      ...target,
      body: what && JSON.stringify(what),
      timing: { id, due },
    });
  }

  /** `undefined`: nobody can have the turn run again. */
  #drawsOf(running: Running): TurnDraws | undefined {
    const { number, id, readonly } = running.call.head;
    if (id === undefined || readonly) return undefined;
    running.draws ??= new TurnDraws(
      this.#steps?.recalledOf(number),
      this.#session.world,
      () => stepOf(running) !== undefined,
    );
    return running.draws;
  }

  #openSteps(): Steps {
    const { number: activation, say, world } = this.#session;
    this.#steps ??= new Steps({ activation, say, after: world.after, endTurn: this.#endTurn });
    return this.#steps;
  }
}

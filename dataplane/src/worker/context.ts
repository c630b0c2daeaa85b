// What a handler gets beside its input. One is made per call: its parts cost nothing until a handler asks for
// them.
import {
  type AskFunction,
  type AskRequest,
  askFunction,
  type Caller,
  type CancelFunction,
  type CancelWorkflowFunction,
  cancelFunction,
  cancelWorkflowFunction,
  type GatherFunction,
  type HostContext,
  type Logger,
  type NameFunction,
  type NotifyFunction,
  notifyFunction,
  type RunFunction,
  type RunRequest,
  runFunction,
  type ScheduleFunction,
  type SendFunction,
  type SendRequest,
  scheduleFunction,
  sendFunction,
  startFunctions,
  type TimingWorld,
  type WorkflowTurn,
  workflowsOfTurn,
} from "voda/definition";
import type { Draws } from "./draws.ts";

/** An abort signal that is made when it is asked for: most handlers never do. */
export class Abort {
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  abort(reason: Error): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }
}

/** What the contexts of one activation have it do, each for its own turn. */
export interface TurnHost<T> {
  log(turn: T): Logger;
  named(turn: T, ...of: Parameters<NameFunction>): () => void;
  ask(turn: T, request: AskRequest): Promise<unknown>;
  send(turn: T, request: SendRequest): void;
  run(turn: T, request: RunRequest): Promise<unknown>;
  draws(turn: T): Draws;
  gather(): GatherFunction;
  /** Milliseconds since 1970, without a place in the journal: for bounds of times. */
  nowMs(): number;
  workflows(turn: T, context: HostContext): WorkflowTurn;
}

export interface ContextOptions<T> {
  readonly key: string;
  readonly state: object;
  readonly caller: string;
  /** The sessions in whose turns the call was made, the asking one last. */
  readonly chain: readonly string[];
  readonly abort: Abort;
  readonly host: TurnHost<T>;
  readonly turn: T;
}

/** The functions can be taken out of it. They are made when they are wanted: most handlers want none. */
export class Context<T> implements HostContext {
  readonly key: string;
  readonly state: object;
  readonly caller: Caller;
  readonly #abort: Abort;
  readonly #host: TurnHost<T>;
  readonly #turn: T;
  #ask: AskFunction | undefined;
  #send: SendFunction | undefined;
  #schedule: ScheduleFunction | undefined;
  #run: RunFunction | undefined;
  #draws: Draws | undefined;

  constructor({ key, state, caller, chain, abort, host, turn }: ContextOptions<T>) {
    this.key = key;
    this.state = state;
    const agent = chain.at(-1);
    this.caller = agent === undefined ? { subject: caller } : { subject: caller, agent: partsOf(agent) };
    this.#abort = abort;
    this.#host = host;
    this.#turn = turn;
  }

  get ask(): AskFunction {
    this.#ask ??= askFunction((request) => this.#host.ask(this.#turn, request), this.#named);
    return this.#ask;
  }

  get send(): SendFunction {
    this.#send ??= sendFunction((one) => this.#take(one), this.#timing, this.#named);
    return this.#send;
  }

  get schedule(): ScheduleFunction {
    this.#schedule ??= scheduleFunction((one) => this.#take(one), this.#timing, this.#named);
    return this.#schedule;
  }

  get cancel(): CancelFunction {
    return cancelFunction((one) => this.#take(one));
  }

  get run(): RunFunction {
    this.#run ??= runFunction((request) => this.#host.run(this.#turn, request));
    return this.#run;
  }

  get start(): object {
    return startFunctions((request) => this[workflowsOfTurn].start(request));
  }

  get notify(): NotifyFunction {
    return notifyFunction((request) => this[workflowsOfTurn].signal(request));
  }

  get cancelWorkflow(): CancelWorkflowFunction {
    return cancelWorkflowFunction((id) => this[workflowsOfTurn].cancel(id));
  }

  get [workflowsOfTurn](): WorkflowTurn {
    return this.#host.workflows(this.#turn, this);
  }

  get gather(): GatherFunction {
    return this.#host.gather();
  }

  get #named(): NameFunction {
    return (...of) => this.#host.named(this.#turn, ...of);
  }

  get #timing(): TimingWorld {
    return { uuid: () => this.uuid(), nowMs: () => this.#host.nowMs() };
  }

  get now(): () => number {
    return this.#drawn.now;
  }

  get random(): () => number {
    return this.#drawn.random;
  }

  get uuid(): () => string {
    return this.#drawn.uuid;
  }

  get log(): Logger {
    return this.#host.log(this.#turn);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  #take(request: SendRequest): void {
    this.#host.send(this.#turn, request);
  }

  get #drawn(): Draws {
    this.#draws ??= this.#host.draws(this.#turn);
    return this.#draws;
  }
}

/** Names of agents have no slash. */
function partsOf(session: string): { readonly name: string; readonly key: string } {
  const at = session.indexOf("/");
  return { name: session.slice(0, at), key: session.slice(at + 1) };
}

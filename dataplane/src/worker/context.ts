// What a handler gets beside its input. One is made per call: its parts cost nothing until a handler asks for
// them.
import { randomUUID } from "node:crypto";
import {
  type AskFunction,
  type AskRequest,
  askFunction,
  type Caller,
  type CancelFunction,
  cancelFunction,
  gather,
  type HostContext,
  type Logger,
  type ScheduleFunction,
  type SendFunction,
  type SendRequest,
  scheduleFunction,
  sendFunction,
} from "voda/definition";

const now = (): number => Date.now();
const random = (): number => Math.random();
const uuid = (): string => randomUUID();

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

export interface ContextOptions {
  readonly key: string;
  readonly log: () => Logger;
  readonly state: object;
  readonly caller: string;
  /** The sessions in whose turns the call was made, the asking one last. */
  readonly chain: readonly string[];
  readonly abort: Abort;
  readonly ask: (request: AskRequest) => Promise<unknown>;
  readonly send: (request: SendRequest) => void;
}

/** The functions are the same of every context, and can be taken out of it. */
export class Context implements HostContext {
  readonly key: string;
  readonly state: object;
  readonly caller: Caller;
  readonly now = now;
  readonly random = random;
  readonly uuid = uuid;
  readonly gather = gather;
  readonly #abort: Abort;
  readonly #log: () => Logger;
  readonly #perform: (request: AskRequest) => Promise<unknown>;
  readonly #take: (request: SendRequest) => void;
  #ask: AskFunction | undefined;
  #send: SendFunction | undefined;
  #schedule: ScheduleFunction | undefined;

  constructor({ key, log, state, caller, chain, abort, ask, send }: ContextOptions) {
    this.key = key;
    this.state = state;
    const agent = chain.at(-1);
    this.caller = agent === undefined ? { subject: caller } : { subject: caller, agent: partsOf(agent) };
    this.#perform = ask;
    this.#take = send;
    this.#abort = abort;
    this.#log = log;
  }

  /** Made when it is wanted: most handlers ask nobody. */
  get ask(): AskFunction {
    this.#ask ??= askFunction(this.#perform);
    return this.#ask;
  }

  get send(): SendFunction {
    this.#send ??= sendFunction(this.#take, this.uuid);
    return this.#send;
  }

  get schedule(): ScheduleFunction {
    this.#schedule ??= scheduleFunction(this.#take, this.uuid);
    return this.#schedule;
  }

  get cancel(): CancelFunction {
    return cancelFunction(this.#take);
  }

  get log(): Logger {
    return this.#log();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }
}

/** Names of agents have no slash. */
function partsOf(session: string): { readonly name: string; readonly key: string } {
  const at = session.indexOf("/");
  return { name: session.slice(0, at), key: session.slice(at + 1) };
}

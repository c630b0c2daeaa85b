// What a handler gets beside its input. One is made per call: its parts cost nothing until a handler asks for
// them.
import { randomUUID } from "node:crypto";
import type { Caller, HostContext, Logger } from "voda/definition";

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
  readonly abort: Abort;
}

/** The functions are the same of every context, and can be taken out of it. */
export class Context implements HostContext {
  readonly key: string;
  readonly state: object;
  readonly caller: Caller;
  readonly now = now;
  readonly random = random;
  readonly uuid = uuid;
  readonly #abort: Abort;
  readonly #log: () => Logger;

  constructor({ key, log, state, caller, abort }: ContextOptions) {
    this.key = key;
    this.state = state;
    this.caller = { subject: caller };
    this.#abort = abort;
    this.#log = log;
  }

  get log(): Logger {
    return this.#log();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }
}

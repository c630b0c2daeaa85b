// Where everything comes in that other parts of the node may say before the sessions are there: calls of
// clients and of other nodes, orders of the control plane, words of threads. It refuses until it is opened,
// so that no part has to ask whether it may speak.
import { type SessionName, type SessionToken, sessionToken } from "@voda/proto/session";
import {
  type Answer,
  anonymous,
  type Call,
  type CallType,
  type Failed,
  noChain,
  type Submit,
} from "../call/index.ts";
import type { Activated, CommandedSessions } from "../controls/index.ts";
import type { Reactor } from "../reactor/index.ts";
import type { Loss, SessionMessage } from "../threads/index.ts";
import type { NodeWorkerPort } from "./worker-port.ts";

export interface InboxOptions {
  readonly numbers: () => number;
  /** What calls are told while it is closed. */
  readonly refusal: Failed;
}

interface Opened {
  readonly reactor: Reactor;
  readonly worker: NodeWorkerPort;
}

const nothing = new Uint8Array(0);

export class Inbox implements CommandedSessions {
  readonly #options: InboxOptions;
  #opened: Opened | undefined;
  #accepts = false;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  open(opened: Opened): void {
    this.#opened = opened;
    this.#accepts = true;
  }

  /** No more calls and orders; what threads still say is heard. */
  close(): void {
    this.#accepts = false;
  }

  readonly submit: Submit = (call, reply) => {
    const reactor = this.#accepts ? this.#opened?.reactor : undefined;
    if (reactor !== undefined) return reactor.submit(call, reply);
    reply(this.#options.refusal, {});
    return () => undefined;
  };

  /** `deadlineMs`: monotonic. */
  order(
    type: Exclude<CallType, "invoke">,
    name: SessionName,
    deadlineMs: number,
    grant: string | undefined,
  ): Promise<Answer> {
    const number = this.#options.numbers();
    const call: Call = {
      head: { number, type, readonly: false, deadlineMs, id: undefined, hops: 0, bytes: 0 },
      name,
      token: sessionToken(name),
      method: "",
      content: "json",
      body: nothing,
      caller: anonymous,
      traceparent: undefined,
      requestId: undefined,
      chain: noChain,
      grant,
      devices: undefined,
    };
    return new Promise((resolve) => void this.submit(call, resolve));
  }

  hasRested(token: SessionToken, forMs: number): boolean {
    return this.#opened?.reactor.hasRested(token, forMs) ?? true;
  }

  async sleep(token: SessionToken): Promise<void> {
    await this.#opened?.reactor.sleep(token);
  }

  epochOf(token: SessionToken): number {
    return this.#opened?.reactor.epochOf(token) ?? 0;
  }

  /** Sessions in memory with a durable claim. */
  get owned(): ReadonlySet<Activated> {
    return this.#opened?.reactor.owned ?? new Set();
  }

  workerSaid(message: SessionMessage): void {
    const event = this.#opened?.worker.read(message);
    if (event !== undefined) this.#opened?.reactor.workerSaid(event);
  }

  workerLost(loss: Loss): void {
    this.#opened?.reactor.workerLost(loss);
  }

  holdMsMax(call: number): number | undefined {
    return this.#opened?.reactor.holdMsMax(call);
  }

  async retire(activations: Iterable<number>): Promise<void> {
    await this.#opened?.reactor.retire(activations);
  }
}

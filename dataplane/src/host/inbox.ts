// Where everything comes in that other parts of the node may say before the sessions are there: calls of
// other nodes, orders of the control plane, the ends of threads. It refuses until it is opened, so that no
// part has to ask whether it may speak. Calls of clients need it not: their port serves when the sessions do.
import type { Redelivery } from "@voda/proto/node";
import { type SessionName, type SessionToken, sessionToken } from "@voda/proto/session";
import { workflowTurns } from "voda/definition";
import {
  type Answer,
  type Call,
  type CallDraft,
  type CallType,
  draftCall,
  type Failed,
  type Submit,
} from "../call/index.ts";
import type { Activated, CommandedSessions, DescribedSession } from "../controls/index.ts";
import type { Reactor } from "../reactor/index.ts";
import type { Loss } from "../threads/index.ts";

/** What an inbox needs before there are sessions. */
export interface InboxOptions {
  readonly numbers: () => number;
  /** What calls are told before it is opened. */
  readonly refusal: Failed;
}

const nothing = new Uint8Array(0);
const utf8 = new TextEncoder();

/** Opened once by `openHost`, closed once by the drain: in between it hands everything to the reactor. */
export class Inbox implements CommandedSessions {
  readonly #options: InboxOptions;
  #reactor: Reactor | undefined;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  open(reactor: Reactor): void {
    this.#reactor = reactor;
  }

  readonly submit: Submit = (call, reply) => {
    if (this.#reactor !== undefined) return this.#reactor.submit(call, reply);
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
    // an order is a call like any other: it has a deadline, is passed on, and is answered once
    const call = this.#draft(name, nothing, deadlineMs);
    call.head.type = type;
    call.grant = grant;
    return this.#submitted(call);
  }

  /** `deadlineMs`: monotonic. */
  redeliver(
    { method, body, source, sender }: Redelivery,
    name: SessionName,
    deadlineMs: number,
    grant: string | undefined,
  ): Promise<Answer> {
    const call = this.#draft(name, body, deadlineMs);
    call.head.id = { type: "sent", source, n: 1, rawHash: source };
    call.method = method;
    call.chain = [sender];
    call.grant = grant;
    return this.#submitted(call);
  }

  /** `deadlineMs`: monotonic; of its thread, which alone knows its workflows. */
  async describe(name: SessionName, deadlineMs: number): Promise<DescribedSession | undefined> {
    const described = this.#reactor?.describe(sessionToken(name));
    if (described === undefined) return undefined;
    const { agent, waits } = described;
    if (!agent.methods.some((one) => one.name === workflowTurns.read)) return waits;
    const call = this.#draft(name, utf8.encode('{"list":true}'), deadlineMs);
    call.head.readonly = true;
    call.method = workflowTurns.read;
    call.chain = [`${name.agent}/${name.key}`];
    return { ...waits, workflows: await this.#submitted(call) };
  }

  #draft(name: SessionName, body: Uint8Array, deadlineMs: number): CallDraft {
    return draftCall({ name, token: sessionToken(name), deadlineMs }, body, this.#options.numbers());
  }

  #submitted(call: Call): Promise<Answer> {
    return new Promise((resolve) => void this.submit(call, resolve));
  }

  hasRested(token: SessionToken, forMs: number): boolean {
    return this.#reactor?.hasRested(token, forMs) ?? true;
  }

  async sleep(token: SessionToken): Promise<void> {
    await this.#reactor?.sleep(token);
  }

  epochOf(token: SessionToken): number {
    return this.#reactor?.epochOf(token) ?? 0;
  }

  /** Sessions in memory with a durable claim. */
  get owned(): ReadonlySet<Activated> {
    return this.#reactor?.owned ?? new Set();
  }

  workerLost(loss: Loss): void {
    this.#reactor?.workerLost(loss);
  }

  holdLimit(call: number): ReturnType<Reactor["holdLimit"]> {
    return this.#reactor?.holdLimit(call);
  }

  async retire(activations: Iterable<number>): Promise<void> {
    await this.#reactor?.retire(activations);
  }
}

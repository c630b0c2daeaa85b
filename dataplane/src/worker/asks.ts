// What the handlers of one activation ask of other sessions, from `ctx.ask` to the answer.

import type { SessionName } from "@voda/proto/session";
import { bodyBytesMax } from "@voda/proto/wire";
import { wordsOf } from "@voda/stdx";
import type { AskRequest } from "voda/definition";
import {
  type Answer,
  type AsideMessage,
  asksMax,
  type Call,
  chainMax,
  draftCall,
  type Failure,
  fail,
  noChain,
  type SessionCall,
  tokenOf,
  tooManyAsks,
} from "../call/index.ts";
import { type Asking, FailedAsk, siteOf } from "./failed-ask.ts";
import type { Strange } from "./sends.ts";
import { textOf } from "./thrown.ts";

const utf8 = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** An ask that the I/O thread has, and who is to hear how it ends. */
interface Waiting {
  /** The call that asks. */
  readonly by: number;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: FailedAsk) => void;
  readonly asking: Asking;
}

export interface AsksOptions {
  readonly activation: number;
  readonly name: SessionName;
  readonly nowMs: () => number;
  readonly say: (message: AsideMessage) => void;
}

/** Numbers asks by activation: an answer that comes after its turn has ended finds nobody. */
export class PendingAsks {
  readonly #options: AsksOptions;
  readonly #waiting = new Map<number, Waiting>();
  /** Calls of the session to itself. */
  readonly #own = new Map<number, (answer: Answer) => void>();
  #last = 0;

  constructor(options: AsksOptions) {
    this.#options = options;
  }

  /** `turnMsMax`: how long the asking turn may last. Rejects with a FailedAsk. */
  ask(call: SessionCall, request: AskRequest, turnMsMax: number): Promise<unknown> {
    const asked = this.#callOf(call, request, turnMsMax);
    const asking = this.#askingOf(request, asked.head.deadlineMs);
    const refusal = this.#refusal(call, request);
    if (refusal !== undefined) return Promise.reject(new FailedAsk(refusal, asking));
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#last += 1;
    this.#waiting.set(this.#last, { by: call.head.number, resolve, reject, asking });
    this.#options.say({
      type: "ask",
      activation: this.#options.activation,
      by: call.head.number,
      askId: this.#last,
      request: asked,
    });
    return promise;
  }

  /** Whether the turn may send to that handler. Rejects with a FailedAsk. */
  check(by: number, { agent, key, method, timing, site }: Strange): Promise<unknown> {
    const { activation, name, nowMs, say } = this.#options;
    const does = timing === undefined ? "sends to" : "schedules";
    const path = `${name.agent}/${name.key} ${does} ${agent}/${key}`;
    const asking: Asking = {
      type: "sent",
      path,
      method,
      timeoutMs: undefined,
      deadlineMs: Number.POSITIVE_INFINITY,
      nowMs,
      site,
    };
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#last += 1;
    this.#waiting.set(this.#last, { by, resolve, reject, asking });
    say({ type: "check", activation, askId: this.#last, agent, method });
    return promise;
  }

  /** Calls a handler of the session itself, beside all turns. */
  own(method: string, body: object): Promise<Answer> {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const { activation, say } = this.#options;
    this.#last += 1;
    this.#own.set(this.#last, resolve);
    say({ type: "own", activation, askId: this.#last, method, body: utf8.encode(JSON.stringify(body)) });
    return promise;
  }

  /** The turn that asks had ended before. */
  askLate(request: AskRequest): Promise<never> {
    const asking = this.#askingOf(request, Number.POSITIVE_INFINITY);
    return Promise.reject(new FailedAsk(endedTurn(), asking));
  }

  answered(askId: number, answer: Answer): void {
    const own = this.#own.get(askId);
    if (own !== undefined) {
      this.#own.delete(askId);
      own(answer);
      return;
    }
    const waiting = this.#waiting.get(askId);
    if (waiting === undefined) return; // its turn has ended
    this.#waiting.delete(askId);
    try {
      if (answer.ok) waiting.resolve(valueOf(answer.body));
      else waiting.reject(new FailedAsk(answer.failure, waiting.asking));
    } catch (cause) {
      // another agent's thread wrote it: what is wrong with it must not end this one
      const words = `what was asked gave an answer that cannot be read: ${textOf(() => wordsOf(cause))}`;
      waiting.reject(new FailedAsk(fail("internal", words).failure, waiting.asking));
    }
  }

  /** What the call waits for now, as it was asked; `undefined` when it is nothing that it asked. */
  waitedFor(call: number): string | undefined {
    for (const { by, asking } of this.#waiting.values())
      if (by === call) return `${asking.path} ${asking.method}`;
    return undefined;
  }

  /** The turn has ended: nothing that it asked comes back to it. */
  end(call: number): void {
    if (this.#waiting.size === 0) return;
    for (const [askId, waiting] of this.#waiting) {
      if (waiting.by !== call) continue;
      this.#waiting.delete(askId);
      waiting.reject(new FailedAsk(endedTurn(), waiting.asking));
    }
  }

  /** The place in the agent's code is taken now: later its stack is gone, and an error would name ours. */
  #askingOf({ agent, key, method, timeoutMs }: AskRequest, deadlineMs: number): Asking {
    const { name, nowMs } = this.#options;
    const path = `${name.agent}/${name.key} -> ${agent}/${key}`;
    return { type: "asked", path, method, timeoutMs, deadlineMs, nowMs, site: siteOf() };
  }

  /** Refuses without a message to another thread. */
  #refusal(call: SessionCall, { agent, key, body }: AskRequest): Failure | undefined {
    const chain = waitingFor(call);
    if (chain.length >= chainMax) {
      const { name } = this.#options;
      const path = [...chain, `${name.agent}/${name.key}`, `${agent}/${key}`].join(" -> ");
      return fail("asks_too_deep", `more sessions wait in a row than chainMax ${chainMax}: ${path}`).failure;
    }
    if (this.#waiting.size >= asksMax) return tooManyAsks().failure;
    // three bytes is the most that a unit of UTF-16 takes
    if (body === undefined || body.length * 3 <= bodyBytesMax) return undefined;
    const { length } = utf8.encode(body);
    if (length <= bodyBytesMax) return undefined;
    return fail("too_large", `input of ${length} bytes exceeds bodyBytesMax ${bodyBytesMax}`).failure;
  }

  /** Its number, its id and whether it is readonly are for the I/O thread to say. */
  #callOf(call: SessionCall, request: AskRequest, turnMsMax: number): Call {
    const { head, caller, traceparent, requestId } = call;
    const { name: own } = this.#options;
    const nowMs = this.#options.nowMs();
    const name = { namespace: own.namespace, agent: request.agent, key: request.key };
    const body = request.body === undefined ? new Uint8Array(0) : utf8.encode(request.body);
    const deadlineMs = Math.min(head.deadlineMs, nowMs + Math.min(request.timeoutMs ?? turnMsMax, turnMsMax));
    const asked = draftCall({ name, token: tokenOf(name), deadlineMs }, body, 0);
    asked.head.readonly = head.readonly;
    asked.method = request.method;
    asked.caller = caller;
    asked.traceparent = traceparent;
    asked.requestId = requestId;
    asked.chain = [...waitingFor(call), `${own.agent}/${own.key}`];
    return asked;
  }
}

/** Sessions that wait for the call: nobody does for what was sent. */
const waitingFor = ({ head, chain }: SessionCall): readonly string[] =>
  head.id?.type === "sent" ? noChain : chain;

function valueOf(body: Uint8Array): unknown {
  return body.length === 0 ? undefined : JSON.parse(decoder.decode(body));
}

const endedTurn = (): Failure =>
  fail("interrupted", "the turn that asked has ended; await each ask, or return it, before the handler ends")
    .failure;

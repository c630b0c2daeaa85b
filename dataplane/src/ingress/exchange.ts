// One request from its head to its answer, over either version of HTTP.
import { headers } from "@voda/proto/wire";
import type { Clock, Link, LinkedList } from "@voda/stdx";
import { type Answer, type AnswerMeta, fail, type Submit, type TakeBack } from "../call/index.ts";
import { type Accepted, acceptHead, callOf } from "./accept.ts";
import { Body } from "./body.ts";
import type { Border } from "./border.ts";
import { requestIdOf } from "./call-id.ts";
import { type Dialect, dialectOf, type HttpAnswer } from "./dialect/index.ts";
import type { EdgeProof } from "./edge-proof.ts";
import { headerOf, type RequestHead } from "./head.ts";
import {
  bodyMsMax,
  busyRetryMs,
  callsBytesMax,
  ingressCallsMax,
  unsentBytesMax,
  unsentMsMax,
} from "./limits.ts";
import { Refusal, refuse } from "./refusal.ts";
import type { Routes } from "./target.ts";

/** What all exchanges of an ingress share. */
export interface Floor {
  readonly routes: Routes;
  submit: Submit;
  /** Numbers for calls. */
  readonly numbers: () => number;
  readonly clock: Clock;
  readonly border: Border;
  readonly edge: EdgeProof;
  readonly open: LinkedList<Exchange>;
  /** Those whose answer has not left, the oldest first. */
  readonly unsent: LinkedList<Exchange>;
  /** Of bodies in `open`. */
  bodyBytes: number;
  /** Of answers in `unsent`. */
  unsentBytes: number;
}

/** Where the answer goes. Nothing is sent twice, and sending to a caller who has gone does nothing. */
export interface CallerSide {
  send(answer: HttpAnswer): void;
  /** The rest of the body is not wanted: called after `send`, when the body has not ended. */
  discard(): void;
  /** The answer is not wanted by the caller, who does not read: what is left of it is dropped. */
  cut(): void;
}

/** `done` is also where an exchange begins. */
type State =
  | { readonly type: "receiving"; readonly accepted: Accepted; readonly body: Body; readonly untilMs: number }
  | { readonly type: "running"; readonly accepted: Accepted; readonly takeBack: TakeBack | undefined }
  | {
      readonly type: "sending";
      readonly bytes: number;
      readonly untilMs: number;
      readonly unsent: Link<Exchange>;
    }
  | { readonly type: "done" };

const done: State = { type: "done" };

/** The one owner of a request: whatever comes late finds it `done`, and does nothing. */
export class Exchange {
  readonly #floor: Floor;
  readonly #head: RequestHead;
  readonly #caller: CallerSide;
  readonly #dialect: Dialect;
  /** Whether the request came through Envoy, which has looked at Host and Origin. */
  readonly isFromEdge: boolean;
  #state: State = done;
  #open: Link<Exchange> | undefined;
  #bodyBytes = 0;
  #hasEnded = false;

  /** Answers at once when the head alone refuses the call. */
  constructor(floor: Floor, head: RequestHead, caller: CallerSide) {
    this.#floor = floor;
    this.#head = head;
    this.#caller = caller;
    this.#dialect = dialectOf(head);
    this.isFromEdge = floor.edge.holds(head);
    this.#guard(() => this.#accept());
  }

  #accept(): void {
    const [floor, head, dialect, isFromEdge] = [this.#floor, this.#head, this.#dialect, this.isFromEdge];
    const problem = isFromEdge ? undefined : floor.border.problem(head);
    if (problem !== undefined) throw problem;
    const preflight = floor.border.preflight(head, isFromEdge);
    if (preflight !== undefined) {
      this.#deliver(preflight);
      return;
    }
    if (floor.open.size >= ingressCallsMax) throw busy(`calls in flight: ingressCallsMax ${ingressCallsMax}`);
    const nowMs = floor.clock.monotonicMs();
    const accepted = acceptHead(head, { dialect, routes: floor.routes, nowMs, isFromEdge });
    const body = new Body(dialect);
    const tooLarge = body.announced(Number(headerOf(head, "content-length") ?? 0));
    if (tooLarge !== undefined) throw tooLarge;
    const untilMs = Math.min(nowMs + bodyMsMax, accepted.deadlineMs);
    this.#state = { type: "receiving", accepted, body, untilMs };
    this.#open = floor.open.push(this);
  }

  /** Whether a body is awaited: the head is accepted. */
  get isReceiving(): boolean {
    return this.#state.type === "receiving";
  }

  /** Bytes of the body. */
  push(chunk: Buffer): void {
    const state = this.#state;
    if (state.type !== "receiving") return;
    this.#guard(() => {
      this.#bodyBytes += chunk.length;
      this.#floor.bodyBytes += chunk.length;
      // After it was added: whoever passes the bound is refused, and its own bytes go with it.
      if (this.#floor.bodyBytes > callsBytesMax)
        throw busy(`bytes of calls in flight: callsBytesMax ${callsBytesMax}`);
      const problem = state.body.push(chunk);
      if (problem !== undefined) throw problem;
    });
  }

  /** The body is complete. */
  end(): void {
    this.#hasEnded = true;
    const state = this.#state;
    if (state.type !== "receiving") return;
    this.#guard(() => {
      const message = this.#dialect.message(state.body.complete(), this.#head);
      const { accepted } = state;
      const call = callOf(accepted, message, this.#floor.numbers());
      // Before the call leaves: a refusal may answer it inside of `submit`.
      this.#state = { type: "running", accepted, takeBack: undefined };
      const takeBack = this.#floor.submit(call, (answer, meta) => this.#reply(answer, meta));
      // It may be answered by now: then there is nothing left to take back.
      if (this.#state.type === "running") this.#state = { ...this.#state, takeBack };
    });
  }

  /** The caller has taken the answer, has gone, or closed its side before the answer. */
  gone(): void {
    const state = this.#state;
    if (state.type === "done") return;
    this.#finish();
    if (state.type === "running") state.takeBack?.("caller");
  }

  /** Cuts an answer that nobody takes. Whether it had waited for too long, or others need its room. */
  sweepUnsent(nowMs: number): boolean {
    if (this.#state.type !== "sending") return false;
    if (nowMs < this.#state.untilMs && this.#floor.unsentBytes <= unsentBytesMax) return false;
    this.#finish();
    this.#caller.cut();
    return true;
  }

  /** Ends a body that is awaited for too long. What runs is answered at its deadline by whoever took it. */
  sweep(nowMs: number): void {
    const state = this.#state;
    if (state.type !== "receiving" || nowMs < state.untilMs) return;
    this.#send(
      fail("turn_timeout", `the body was not complete within ${bodyMsMax} ms or the call's deadline`),
      {},
    );
  }

  #reply(answer: Answer, meta: AnswerMeta): void {
    if (this.#state.type === "running") this.#send(answer, meta);
  }

  /** Only what is refused on purpose is an answer; all else is a mistake of ours and ends the process. */
  #guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#send({ ok: false, failure: error.failure }, {}, error.status);
    }
  }

  /** Done before it is sent: a caller that hangs up while it is written to must find nothing to cancel. */
  #send(answer: Answer, { hint, token }: AnswerMeta, status?: number): void {
    this.#finish();
    const dialect = this.#dialect;
    const response = answer.ok ? dialect.answer(answer.body) : dialect.refusal(answer.failure, status);
    const requestId = requestIdOf(this.#head);
    if (requestId !== undefined) response.headers[headers.requestId] = requestId;
    Object.assign(response.headers, this.#floor.border.readable(this.#head, this.isFromEdge));
    if (hint !== undefined) response.headers[headers.host] = hint;
    if (token !== undefined) response.headers[headers.token] = token;
    this.#deliver(response);
  }

  #deliver(answer: HttpAnswer): void {
    this.#hold(answer.body.length);
    this.#caller.send(answer);
    if (!this.#hasEnded) this.#caller.discard();
  }

  /** The answer counts until it has left. */
  #hold(bytes: number): void {
    if (bytes === 0) return;
    const floor = this.#floor;
    const untilMs = floor.clock.monotonicMs() + unsentMsMax;
    this.#state = { type: "sending", bytes, untilMs, unsent: floor.unsent.push(this) };
    floor.unsentBytes += bytes;
    if (floor.unsentBytes > unsentBytesMax) sweepUnsent(floor);
  }

  #finish(): void {
    const floor = this.#floor;
    if (this.#state.type === "sending") {
      floor.unsentBytes -= this.#state.bytes;
      floor.unsent.remove(this.#state.unsent);
    }
    this.#state = done;
    if (this.#open !== undefined) floor.open.remove(this.#open);
    this.#open = undefined;
    floor.bodyBytes -= this.#bodyBytes;
    this.#bodyBytes = 0;
  }
}

/** The oldest come first, so the first that may stay ends the search. */
export function sweepUnsent(floor: Floor): void {
  const nowMs = floor.clock.monotonicMs();
  while (floor.unsent.first?.sweepUnsent(nowMs) === true);
}

function busy(what: string): Refusal {
  const { failure } = refuse("queue_full", `this node has too many ${what} reached; try again`);
  return new Refusal({ ...failure, retryAfterMs: busyRetryMs });
}

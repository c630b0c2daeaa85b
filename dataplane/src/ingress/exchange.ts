// One request from its head to its answer, over either version of HTTP.
import { headers } from "@voda/proto/wire";
import type { Clock } from "@voda/stdx";
import { type Answer, fail, type Invocation } from "../invocation.ts";
import { type Accepted, acceptHead, invocationOf, requestIdOf } from "./accept.ts";
import { Body } from "./body.ts";
import { type Dialect, dialectOf, type HttpAnswer } from "./dialect/index.ts";
import { type Head, headerOf } from "./head.ts";
import { bodyMsMax, busyRetryMs, callsBytesMax, callsMax } from "./limits.ts";
import { Refusal, refuse } from "./refusal.ts";
import type { Routes } from "./target.ts";

export interface ReplyMeta {
  /** `ip:port` of the owner's ingress. */
  readonly hint?: string;
  /** For reading one's own writes. */
  readonly token?: string;
}

/** Runs a call; `reply` is called at most once, and may be called before this returns. `cancel` says that nobody waits any more. */
export type Dispatch = (
  invocation: Invocation,
  reply: (answer: Answer, meta: ReplyMeta) => void,
) => { cancel(): void };

export interface Counts {
  calls: number;
  refused: number;
  cancelled: number;
  timedOut: number;
}

/** What all exchanges of an ingress share. */
export interface Floor {
  readonly routes: Routes;
  readonly dispatch: Dispatch;
  readonly clock: Clock;
  readonly open: Set<Exchange>;
  readonly counts: Counts;
  /** Of bodies in `open`. */
  bodyBytes: number;
}

/** Where the answer goes. Nothing is sent twice, and sending to a caller who has gone does nothing. */
export interface Caller {
  send(answer: HttpAnswer): void;
  /** The rest of the body is not wanted: called after `send`, when the body has not ended. */
  discard(): void;
}

type State =
  | { readonly name: "receiving"; readonly accepted: Accepted; readonly body: Body; readonly untilMs: number }
  | { readonly name: "running"; readonly accepted: Accepted; readonly handle: { cancel(): void } | undefined }
  | { readonly name: "done" };

const done: State = { name: "done" };

export class Exchange {
  readonly #floor: Floor;
  readonly #head: Head;
  readonly #caller: Caller;
  readonly #dialect: Dialect;
  #state: State = done;
  #bodyBytes = 0;
  #hasEnded = false;

  /** Answers at once when the head alone refuses the call. */
  constructor(floor: Floor, head: Head, caller: Caller) {
    this.#floor = floor;
    this.#head = head;
    this.#caller = caller;
    const dialect = dialectOf(head);
    this.#dialect = dialect;
    this.#guard(() => {
      if (floor.open.size >= callsMax) throw busy(`calls in flight: callsMax ${callsMax}`);
      const nowMs = floor.clock.wallMs();
      const accepted = acceptHead(head, dialect, floor.routes, nowMs);
      const body = new Body(dialect);
      const tooLarge = body.announced(Number(headerOf(head, "content-length") ?? 0));
      if (tooLarge !== undefined) throw tooLarge;
      const untilMs = Math.min(nowMs + bodyMsMax, accepted.deadlineMs);
      this.#state = { name: "receiving", accepted, body, untilMs };
      floor.open.add(this);
    });
  }

  /** Bytes of the body. */
  push(chunk: Buffer): void {
    const state = this.#state;
    if (state.name !== "receiving") return;
    this.#guard(() => {
      this.#bodyBytes += chunk.length;
      this.#floor.bodyBytes += chunk.length;
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
    if (state.name !== "receiving") return;
    this.#guard(() => {
      const message = this.#dialect.message(state.body.complete(), this.#head);
      const invocation = invocationOf(this.#head, this.#dialect, state.accepted, message);
      this.#floor.counts.calls += 1;
      this.#state = { name: "running", accepted: state.accepted, handle: undefined };
      const handle = this.#floor.dispatch(invocation, (answer, meta) => this.#reply(answer, meta));
      if (this.#state.name === "running") this.#state = { ...this.#state, handle };
    });
  }

  /** The caller has gone, or closed its side before the answer. */
  gone(): void {
    const state = this.#state;
    if (state.name === "done") return;
    this.#finish();
    this.#floor.counts.cancelled += 1;
    if (state.name === "running") state.handle?.cancel();
  }

  /** Ends what has waited for too long. */
  sweep(nowMs: number): void {
    const state = this.#state;
    if (state.name === "receiving" && nowMs >= state.untilMs) {
      this.#floor.counts.timedOut += 1;
      this.#send(
        fail("turn_timeout", `the body was not complete within ${bodyMsMax} ms or the call's deadline`),
        {},
      );
    } else if (state.name === "running" && nowMs >= state.accepted.deadlineMs) {
      this.#floor.counts.timedOut += 1;
      this.#send(fail("turn_timeout", "no answer before the call's deadline"), {});
      state.handle?.cancel();
    }
  }

  #reply(answer: Answer, meta: ReplyMeta): void {
    if (this.#state.name === "running") this.#send(answer, meta);
  }

  #guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#floor.counts.refused += 1;
      this.#send({ ok: false, failure: error.failure }, {}, error.status);
    }
  }

  #send(answer: Answer, { hint, token }: ReplyMeta, status?: number): void {
    this.#finish();
    const dialect = this.#dialect;
    const response = answer.ok ? dialect.answer(answer.body) : dialect.refusal(answer.failure, status);
    const requestId = requestIdOf(this.#head);
    if (requestId !== undefined) response.headers[headers.requestId] = requestId;
    if (hint !== undefined) response.headers[headers.host] = hint;
    if (token !== undefined) response.headers[headers.token] = token;
    this.#caller.send(response);
    if (!this.#hasEnded) this.#caller.discard();
  }

  #finish(): void {
    this.#state = done;
    this.#floor.open.delete(this);
    this.#floor.bodyBytes -= this.#bodyBytes;
    this.#bodyBytes = 0;
  }
}

function busy(what: string): Refusal {
  const { failure } = refuse("queue_full", `this node has too many ${what} reached; try again`);
  return new Refusal({ ...failure, retryAfterMs: busyRetryMs });
}

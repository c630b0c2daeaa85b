// What an ask rejects with: an error as its handler might throw it, which also knows what was asked, and
// where in the agent's code.
import { reasons } from "@voda/proto/wire";
import { VodaError, type VodaErrorOptions } from "voda/definition";
import type { Failure } from "../call/index.ts";
import { textOf } from "./thrown.ts";

/** An ask as those read of it who look for why it failed; or a message that may not be sent. */
export interface Asking {
  readonly type: "asked" | "sent";
  /** `bot/k1 -> slow/x` */
  readonly path: string;
  readonly method: string;
  /** Of its own, where it has one. */
  readonly timeoutMs: number | undefined;
  readonly deadlineMs: number;
  /** By the clock of the deadline. */
  readonly nowMs: () => number;
  readonly site: Site;
}

/** A place in an agent's code; a text when somebody looks. */
export interface Site {
  readonly stack?: string;
}

// As it is before an agent's code may put another in its place.
const capture: (site: object) => void = Error.captureStackTrace.bind(Error);

/** The answer comes when nothing of the agent's own is on the stack any more. */
export function siteOf(): Site {
  const site = {};
  capture(site);
  return site;
}

/** Of `siteOf`, as a stack has them. */
export const framesOf = ({ stack }: Site): readonly string[] =>
  textOf(() => String(stack))
    .split("\n")
    .slice(1);

/** What a VodaError of the failure says beside its code and its words. */
export const optionsOf = ({ reason, metadata, retryAfterMs }: Failure): VodaErrorOptions => ({
  reason,
  ...(metadata !== undefined && { details: metadata }),
  ...(retryAfterMs !== undefined && { retryAfter: retryAfterMs }),
});

export class FailedAsk extends VodaError {
  readonly #way: string;
  readonly #isOfVoda: boolean;
  readonly #type: Asking["type"];

  /** What the asked handler threw on purpose keeps its words: they are for the asker's program. */
  constructor(failure: Failure, asking: Asking) {
    const isVodas = isOfVoda(failure);
    super(failure.code, isVodas ? messageOf(failure, asking) : failure.message, optionsOf(failure));
    this.#way = wayOf(asking);
    this.#isOfVoda = isVodas;
    this.#type = asking.type;
    this.stack = [`${this.name}: ${this.message}`, ...framesOf(asking.site)].join("\n");
  }

  /** What was asked or sent, for the log; nothing of all other errors. Throws for nothing. */
  static wayOf(error: unknown): { readonly asked?: string; readonly sent?: string } {
    return typeof error === "object" && error !== null && #way in error ? { [error.#type]: error.#way } : {};
  }

  /** Whether it is an ask's, and its words are voda's own, not a handler's. */
  static isOfVoda(error: unknown): boolean {
    return typeof error === "object" && error !== null && #way in error && error.#isOfVoda;
  }
}

function isOfVoda({ reason, by }: Failure): boolean {
  return by !== "handler" && reason !== "user" && Object.hasOwn(reasons, reason);
}

function wayOf({ path, method }: Asking): string {
  return `${path} ${method}`;
}

function messageOf({ reason, message }: Failure, asking: Asking): string {
  const { path, timeoutMs, deadlineMs, nowMs } = asking;
  if (message.includes(path)) return message;
  const isOver = reason === "turn_timeout" && nowMs() >= deadlineMs;
  const limit =
    isOver && timeoutMs !== undefined ? `no answer within the ask's timeout of ${timeoutMs} ms: ` : "";
  return `${wayOf(asking)}: ${limit}${message}`;
}

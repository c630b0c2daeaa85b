// A client as the docs tell users to write one: it retries with its idempotency key until the call is
// decided.

import { setTimeout as delay } from "node:timers/promises";
import { headers } from "@voda/proto/wire";
import { wordsOf } from "@voda/stdx";
import { Connections, type HttpAnswer } from "./connections.ts";

/** Sockets kept open to the mesh. */
const socketsMax = 256;
/** Times the attempts, at most ten, and 0.5 to 1.5 by chance: clients must not come back together. */
const retryDelayMs = 20;
/** Silence after which an attempt is given up. */
export const attemptTimeoutMs = 4_000;
/** Refused for now, or undecided: with the same key the call counts once. */
const retryable = new Set([409, 429, 499, 502, 503, 504]);

/** One call as its caller saw it, with all its attempts. */
export interface Called {
  readonly body: string;
  readonly attempts: number;
  /** From the first attempt to the answer. */
  readonly ms: number;
}

/** Owns its connections; calls may be made side by side. */
export interface Caller extends Disposable {
  /** @throws when the mesh refuses the call for good, or after `giveUpMs` or `attemptsMax` */
  call(agent: string, key: string, method: string, input: unknown, id: string | undefined): Promise<Called>;
}

/** By default a call is tried for a minute, however often. */
export interface CallerOptions {
  readonly giveUpMs?: number;
  readonly attemptsMax?: number;
  readonly signal?: AbortSignal;
  /** Whether owner hints are sent back; without, each call has to be routed anew. */
  readonly keepsHints?: boolean;
}

/** @param url of a mesh, or of one node's ingress */
export function openCaller(
  url: string,
  {
    giveUpMs = 60_000,
    attemptsMax = Number.POSITIVE_INFINITY,
    signal,
    keepsHints = true,
  }: CallerOptions = {},
): Caller {
  const base = new URL(url);
  const connections = new Connections({
    host: base.hostname,
    port: Number(base.port === "" ? 80 : base.port),
    connectionsMax: socketsMax,
    silentMsMax: attemptTimeoutMs,
  });
  /** Owner hints by session, as a client keeps them. */
  const hints = new Map<string, string>();

  const attempt = async (
    path: string,
    session: string,
    body: string,
    id: string | undefined,
  ): Promise<HttpAnswer> => {
    const hint = hints.get(session);
    const sent = {
      "content-type": "application/json",
      ...(id !== undefined && { [headers.idempotencyKey]: id }),
      ...(hint !== undefined && { [headers.host]: hint }),
    };
    const answer = await connections.request({ method: "POST", path, headers: sent, body });
    const minted = answer.header(headers.host);
    if (minted !== undefined && keepsHints) hints.set(session, minted);
    // The node that the hint names may be the one that refuses.
    else if (answer.status !== 200) hints.delete(session);
    return answer;
  };

  return {
    async call(agentName, key, method, input, id) {
      const session = `${agentName}/${key}`;
      const path = `/agents/${agentName}/${encodeURIComponent(key)}/${method}`;
      const payload = input === undefined ? "" : JSON.stringify(input);
      const started = performance.now();
      let last = "";
      for (let attempts = 1; performance.now() - started < giveUpMs; attempts += 1) {
        signal?.throwIfAborted();
        try {
          const { status, body } = await attempt(path, session, payload, id);
          if (status === 200) return { body, attempts, ms: performance.now() - started };
          last = `${status} ${body.slice(0, 300)}`;
          if (!retryable.has(status)) throw new Refused(`${session} ${method}: ${last}`);
        } catch (error) {
          if (error instanceof Refused) throw error;
          hints.delete(session);
          last = wordsOf(error);
        }
        if (attempts >= attemptsMax) break;
        await delay(retryDelayMs * Math.min(attempts, 10) * (0.5 + Math.random()));
      }
      const ms = Math.round(performance.now() - started);
      throw new Error(`${session} ${method}: no answer in ${ms} ms; the last attempt said: ${last}`);
    },
    [Symbol.dispose]() {
      connections[Symbol.dispose]();
    },
  };
}

/** Another attempt would be answered the same. */
class Refused extends Error {
  override readonly name = "Refused";
}

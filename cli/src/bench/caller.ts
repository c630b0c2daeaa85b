// A client as the docs tell users to write one: it retries with its idempotency key until the call is decided.
import { Agent, request } from "node:http";
import { headers } from "@voda/proto/wire";

/** Sockets kept open to the mesh. */
const SOCKETS_MAX = 256;
const RETRY_DELAY_MS = 20;
const ATTEMPT_TIMEOUT_MS = 4_000;
const RETRYABLE = new Set([409, 429, 499, 502, 503, 504]);

export interface Called {
  readonly body: string;
  readonly attempts: number;
  /** From the first attempt to the answer. */
  readonly ms: number;
}

export interface Caller extends Disposable {
  /** @throws when the mesh refuses the call for good, or `giveUpMs` has passed */
  call(agent: string, key: string, method: string, input: unknown, id: string | undefined): Promise<Called>;
}

export interface CallerOptions {
  readonly giveUpMs?: number;
  readonly signal?: AbortSignal;
  /** Whether owner hints are sent back; without, each call has to be routed anew. */
  readonly keepsHints?: boolean;
}

export function openCaller(url: string, { giveUpMs = 60_000, signal, keepsHints = true }: CallerOptions = {}): Caller {
  const base = new URL(url);
  const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX });
  /** Owner hints by session, as a client keeps them. */
  const hints = new Map<string, string>();

  const attempt = (
    path: string,
    session: string,
    payload: string,
    id: string | undefined,
  ): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const hint = hints.get(session);
      const outgoing = request(
        {
          host: base.hostname,
          port: base.port,
          method: "POST",
          path,
          agent,
          headers: {
            "content-type": "application/json",
            "content-length": Buffer.byteLength(payload),
            ...(id !== undefined && { [headers.idempotencyKey]: id }),
            ...(hint !== undefined && { [headers.host]: hint }),
          },
        },
        (response) => {
          const minted = response.headers[headers.host];
          if (typeof minted === "string" && keepsHints) hints.set(session, minted);
          else if (response.statusCode !== 200) hints.delete(session);
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }));
          response.on("error", reject);
        },
      );
      outgoing.setTimeout(ATTEMPT_TIMEOUT_MS, () => outgoing.destroy(new Error(`no answer in ${ATTEMPT_TIMEOUT_MS} ms`)));
      outgoing.on("error", reject);
      outgoing.end(payload);
    });

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
          if (!RETRYABLE.has(status)) throw new Refused(`${session} ${method}: ${last}`);
        } catch (error) {
          if (error instanceof Refused) throw error;
          hints.delete(session);
          last = error instanceof Error ? error.message : String(error);
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY_MS * Math.min(attempts, 10) * (0.5 + Math.random())));
      }
      throw new Error(`${session} ${method}: no answer in ${giveUpMs} ms; the last attempt said: ${last}`);
    },
    [Symbol.dispose]() {
      agent.destroy();
    },
  };
}

class Refused extends Error {
  override readonly name = "Refused";
}

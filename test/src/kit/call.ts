// Plain calls as curl makes them.
import { type SaidError, saidBy } from "./errors.ts";

export interface Called {
  readonly status: number;
  /** Parsed JSON; `undefined` for an empty body. */
  readonly body: unknown;
  readonly headers: Headers;
}

export interface CallOptions {
  readonly input?: unknown;
  /** Idempotency key. */
  readonly id?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export async function call(url: string, path: string, options: CallOptions = {}): Promise<Called> {
  const { input, id, headers = {}, signal } = options;
  const response = await fetch(`${url}/agents/${path}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(id !== undefined && { "idempotency-key": id }),
      ...headers,
    },
    ...(input !== undefined && { body: JSON.stringify(input) }),
    ...(signal !== undefined && { signal }),
  });
  const text = await response.text();
  return {
    status: response.status,
    body: text === "" ? undefined : JSON.parse(text),
    headers: response.headers,
  };
}

/** What an answer says that is an error. */
export const refusal = ({ body }: Pick<Called, "body">): SaidError => saidBy(body);

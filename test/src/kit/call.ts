// Plain calls as curl makes them.
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

/** Code and reason of an error body. */
export function refusal(called: Called): {
  readonly code?: string;
  readonly reason?: string;
  readonly message?: string;
} {
  const { code, message, details } = called.body as {
    code?: string;
    message?: string;
    details?: readonly { readonly debug?: { readonly reason?: string } }[];
  };
  const reason = details?.[0]?.debug?.reason;
  return {
    ...(code !== undefined && { code }),
    ...(reason !== undefined && { reason }),
    ...(message !== undefined && { message }),
  };
}

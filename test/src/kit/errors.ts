// What an error says, as Connect's JSON has it.

export interface SaidError {
  readonly code: string;
  /** Of the `ErrorInfo` beside it. */
  readonly reason: string | undefined;
  readonly message: string;
}

export const errorReasonOf = (json: string): SaidError => saidBy(JSON.parse(json));

export function saidBy(body: unknown): SaidError {
  const { code, message, details } = body as {
    readonly code: string;
    readonly message: string;
    readonly details?: readonly { readonly type: string; readonly debug?: { readonly reason?: string } }[];
  };
  const info = details?.find(({ type }) => type === "google.rpc.ErrorInfo");
  return { code, reason: info?.debug?.reason, message };
}

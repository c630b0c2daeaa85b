import type { IncomingHttpHeaders } from "node:http";

/** What is known of a request before its body. */
export interface RequestHead {
  readonly method: string;
  /** Path and query as sent. */
  readonly target: string;
  readonly http: 1 | 2;
  readonly headers: IncomingHttpHeaders;
  /** Names, values and their overhead as HTTP/2 counts it (RFC 9113 6.5.2). */
  readonly headersBytes: number;
}

export const headerOverheadBytes = 32;

const absoluteForm = /^https?:\/\/([^/?#]*)/i;

/**
 * A target in absolute form, which every server must take, as the path it has; its authority is the host
 * then, whatever the header says (RFC 9112 3.2.2). Other targets are as they are.
 */
export function originForm(
  target: string,
  headers: IncomingHttpHeaders,
): Pick<RequestHead, "target" | "headers"> {
  const found = target.startsWith("/") ? null : absoluteForm.exec(target);
  if (found === null) return { target, headers };
  const [before, host = ""] = found;
  const rest = target.slice(before.length);
  return { target: rest.startsWith("/") ? rest : `/${rest}`, headers: { ...headers, host } };
}

export function headerOf(head: RequestHead, name: string): string | undefined {
  const value = head.headers[name];
  return typeof value === "string" ? value : undefined;
}

export function queryOf(head: RequestHead): URLSearchParams {
  const query = head.target.indexOf("?");
  return new URLSearchParams(query < 0 ? "" : head.target.slice(query + 1));
}

/** Type and subtype in lower case, without parameters. */
export function mediaTypeOf(head: RequestHead): string | undefined {
  const value = headerOf(head, "content-type");
  if (value === undefined) return undefined;
  const end = value.indexOf(";");
  return (end < 0 ? value : value.slice(0, end)).trim().toLowerCase();
}

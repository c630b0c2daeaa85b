// What the parser of HTTP/1.1 refuses never becomes a request: the answer is written by hand.
import { errorJson } from "@voda/proto/error-body";
import { headersBytesMax } from "@voda/proto/wire";
import { headersMsMax } from "./limits.ts";
import { refuse } from "./refusal.ts";

/** Of llhttp or of node:http, which says by `code` what it is. */
export type ParserError = Error & { readonly code?: string };

/** A head was not complete in time. */
export const lateCode = "ERR_HTTP_REQUEST_TIMEOUT";

/** All other codes are plain 400. */
const lines: Readonly<Record<string, readonly [line: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [
    "431 Request Header Fields Too Large",
    `headers exceed headersBytesMax ${headersBytesMax}`,
  ],
  [lateCode]: ["408 Request Timeout", `headers were not complete within headersMsMax ${headersMsMax}`],
};

/** The last answer of its connection. */
export function unparsedAnswer({ code = "", message: why }: ParserError): Buffer {
  const [line, message] = lines[code] ?? ["400 Bad Request", `malformed HTTP/1.1 request: ${why}`];
  const { failure } = refuse(line.startsWith("431") ? "too_large" : "bad_request", message);
  const body = Buffer.from(errorJson(failure));
  const fields = [`HTTP/1.1 ${line}`, "connection: close", "content-type: application/json"];
  const head = [...fields, `content-length: ${body.length}`, "", ""].join("\r\n");
  return Buffer.concat([Buffer.from(head), body]);
}

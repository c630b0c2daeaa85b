// What a protocol is to the ingress. Each is an object in a file of its own with these members, so that
// another protocol is another file and nobody asks which one it is.
import type { Content, Failure } from "../../call/index.ts";
import type { RequestHead } from "../head.ts";
import { type Refusal, refuse, unimplemented } from "../refusal.ts";

export interface Dialect {
  /** How the handler's message is written. */
  readonly content: Content;
  /** Content type of answers; requests are told by it too. */
  readonly contentType: string;
  /** Bytes on the wire that a message of `bodyBytesMax` takes. */
  readonly wireBytesMax: number;
  /** As many bytes of a body as `prefixProblem` wants to see; 0 where a body is its message. */
  readonly prefixBytes: number;
  /** What this protocol refuses by the head alone. */
  readonly problem: (head: RequestHead) => Refusal | undefined;
  /** What the caller is willing to wait, in milliseconds. @throws Refusal */
  readonly timeoutMs: (head: RequestHead) => number | undefined;
  /** What the first `prefixBytes` of a body already refuse, long before it is complete. */
  readonly prefixProblem: (prefix: Buffer) => Refusal | undefined;
  /** The one message of a request, in a complete body. @throws Refusal */
  readonly message: (body: Buffer, head: RequestHead) => Uint8Array;
  readonly answer: (message: Uint8Array) => HttpAnswer;
  /** `status` replaces the one of the failure's code where the protocol speaks through HTTP statuses. */
  readonly refusal: (failure: Failure, status: number | undefined) => HttpAnswer;
}

/** What leaves by HTTP. The exchange adds its own headers. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
  /** gRPC's, after the body. */
  readonly trailers?: Readonly<Record<string, string>>;
}

export function methodProblem(method: string): Refusal {
  return unimplemented(`HTTP method ${method} is not for this path; POST is`, 405);
}

export function mediaTypeProblem(type: string | undefined, known: readonly string[]): Refusal {
  const what = type === undefined ? "a body without content-type" : `content-type ${type.slice(0, 100)}`;
  return refuse("bad_request", `${what} is refused; send ${known.join(", ")}`, 415);
}

/** `encoding`: the value of the header that names it. */
export function compressionProblem(encoding: string | undefined): Refusal | undefined {
  if (encoding === undefined || encoding === "identity") return undefined;
  return unimplemented(
    `compressed requests are not accepted: encoding ${encoding.slice(0, 40)}; send identity`,
  );
}

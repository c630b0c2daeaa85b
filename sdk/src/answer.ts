// Answers of the mesh as values and errors: JSON, and the error format of Connect.
import { BinaryReader, base64Decode } from "@bufbuild/protobuf/wire";
import type { Code } from "@voda/proto/wire";
import { VodaError } from "./error.ts";

/** The value of an answer, `undefined` when it has no content. @throws VodaError */
export function readAnswer(status: number, text: string): unknown {
  if (status < 200 || status > 299) throw readError(status, text);
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new VodaError("internal", `the answer is not JSON: ${excerpt(text)}`, {
      reason: "bad_answer",
      cause,
    });
  }
}

/** All of `Code`, held complete by the compiler. */
const codes = {
  canceled: true,
  unknown: true,
  invalid_argument: true,
  deadline_exceeded: true,
  not_found: true,
  already_exists: true,
  permission_denied: true,
  resource_exhausted: true,
  failed_precondition: true,
  aborted: true,
  out_of_range: true,
  unimplemented: true,
  internal: true,
  unavailable: true,
  data_loss: true,
  unauthenticated: true,
} as const satisfies Record<Code, true>;

/** Only own names: `toString` is no code. */
const isCode = (code: unknown): code is Code => typeof code === "string" && Object.hasOwn(codes, code);

/** How Connect reads a status without an error body: it is not the mesh that answered. */
const statusCodes: ReadonlyMap<number, Code> = new Map([
  [400, "internal"],
  [401, "unauthenticated"],
  [403, "permission_denied"],
  [404, "unimplemented"],
  [429, "unavailable"],
  [502, "unavailable"],
  [503, "unavailable"],
  [504, "unavailable"],
]);

/** The error that an answer outside 200 to 299 carries. */
export function readError(status: number, text: string): VodaError {
  const body = parse(text);
  if (!isRecord(body) || !isCode(body["code"]))
    return new VodaError(statusCodes.get(status) ?? "unknown", `HTTP status ${status}: ${excerpt(text)}`, {
      reason: "bad_answer",
    });
  const message = typeof body["message"] === "string" ? body["message"] : "";
  const { reason, metadata, retryAfterMs } = readDetails(
    Array.isArray(body["details"]) ? body["details"] : [],
  );
  return new VodaError(body["code"], message, {
    reason: reason ?? "unknown",
    ...(metadata !== undefined && { details: metadata }),
    ...(retryAfterMs !== undefined && { retryAfter: retryAfterMs }),
  });
}

/** What the details of an error say to a client. */
export interface Details {
  readonly reason?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly retryAfterMs?: number;
}

/**
 * `google.rpc.ErrorInfo` and `google.rpc.RetryInfo`; details that are neither, or do not decode, are for
 * others.
 */
export function readDetails(details: readonly unknown[]): Details {
  let found: Details = {};
  for (const detail of details) {
    if (!isRecord(detail) || typeof detail["value"] !== "string") continue;
    const read =
      detail["type"] === "google.rpc.ErrorInfo"
        ? errorInfo
        : detail["type"] === "google.rpc.RetryInfo"
          ? retryInfo
          : undefined;
    if (read !== undefined) found = { ...found, ...decode(detail["value"], read) };
  }
  return found;
}

/** A detail that does not decode must not hide the error it came with. */
function decode(value: string, read: (reader: BinaryReader) => Details): Details {
  try {
    return read(new BinaryReader(base64Decode(value)));
  } catch (error) {
    return { metadata: { undecodable_detail: error instanceof Error ? error.message : String(error) } };
  }
}

/** Read by hand, so that pages which load the client load no generated code. */
function errorInfo(reader: BinaryReader): Details {
  let reason = "";
  const metadata: Record<string, string> = {};
  eachField(reader, (field) => {
    if (field === 1) reason = reader.string();
    else if (field === 3) {
      const [name = "", value = ""] = texts(new BinaryReader(reader.bytes()));
      metadata[name] = value;
    } else return false;
    return true;
  });
  return { reason, metadata };
}

/** An entry of a map of strings. */
function texts(reader: BinaryReader): string[] {
  const found: string[] = [];
  eachField(reader, (field) => {
    if (field > 2) return false;
    found[field - 1] = reader.string();
    return true;
  });
  return found;
}

function retryInfo(reader: BinaryReader): Details {
  let retryAfterMs = 0;
  eachField(reader, (field) => {
    if (field !== 1) return false;
    retryAfterMs = durationOf(new BinaryReader(reader.bytes()));
    return true;
  });
  return { retryAfterMs };
}

/** Milliseconds of a `google.protobuf.Duration`, 0 to 1 day. */
function durationOf(reader: BinaryReader): number {
  let ms = 0;
  eachField(reader, (field) => {
    if (field === 1) ms += Number(reader.int64()) * 1000;
    else if (field === 2) ms += reader.int32() / 1e6;
    else return false;
    return true;
  });
  return Math.min(Math.max(0, ms), 86_400_000);
}

/** Hands each field to `read`, and skips those it does not read. */
function eachField(reader: BinaryReader, read: (field: number) => boolean): void {
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (!read(field)) reader.skip(type, field);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not JSON: the caller quotes the text
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Answers of proxies are pages of HTML; their beginning says whose they are. */
const excerpt = (text: string): string => (text === "" ? "no content" : JSON.stringify(text.slice(0, 200)));

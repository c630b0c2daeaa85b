// How a command fails: one line that says why and what to do, and an exit code that programs can tell apart.
import { Code, ConnectError } from "@connectrpc/connect";
import { headers, unknownEffect } from "@voda/proto/wire";
import { oneLine, wordsOf } from "@voda/stdx";
import { readDetails } from "voda/definition";

/** Programs tell failures apart by them: they are part of the command's contract (cli/README.md). */
export const exitCodes = { ok: 0, error: 1, usage: 2, notFound: 3, unavailable: 4 } as const;
/** One of `exitCodes`. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What programs match on of an answer that is an error; what it did not say is absent. */
export interface ErrorFacts {
  /** One of Connect's, in its wire form. */
  readonly code: string;
  readonly reason?: string;
  /** Nobody can tell whether the call took effect. */
  readonly effect?: "unknown";
  /** Its `x-request-id`. */
  readonly request?: string;
  readonly retryAfterMs?: number;
}

/** An expected failure; the message is the one line the user sees. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: ExitCode;

  /** Of an answer of the mesh. */
  readonly facts: ErrorFacts | undefined;

  constructor(
    message: string,
    exitCode: ExitCode = exitCodes.error,
    options?: ErrorOptions & { readonly facts?: ErrorFacts },
  ) {
    super(message, options);
    this.exitCode = exitCode;
    this.facts = options?.facts;
  }
}

/** What `main` prints on standard error, on one line, and ends with. */
export interface Failure {
  readonly line: string;
  readonly exitCode: ExitCode;
  /** For programs, beside the line. */
  readonly facts?: ErrorFacts;
}

/** Deeper causes tell how Node got there. */
const causesMax = 4;
const tryAgain = "try again in a moment, or ask `npx voda doctor`";
const giveId = "--id gives the call a key: it then counts once";
const listAgents = "`npx voda agents ls` lists the agents";
const listSessions = "`npx voda ps` lists the sessions";
const listDead = "`npx voda ps --dead` lists the dead letters";
const listWorkflows = "`npx voda ps AGENT/KEY` names those of a session";
const bringUp = "bring the mesh up with `npx voda dev`, or name its address with --url or VODA_URL";

function listOfMissing(reason: string | undefined): string {
  if (reason === "dead_letter_not_found") return listDead;
  if (reason === "workflow_not_found") return listWorkflows;
  return reason === "agent_not_found" ? listAgents : listSessions;
}

/** What an answer means for the exit code, and what to do next. */
export function adviceFor({ code, reason, effect }: ErrorFacts): {
  readonly exitCode: ExitCode;
  readonly next: string | undefined;
} {
  switch (code) {
    case "not_found":
      return { exitCode: exitCodes.notFound, next: listOfMissing(reason) };
    case "unimplemented":
      return { exitCode: exitCodes.notFound, next: "`npx voda agents ls` lists the methods of each agent" };
    case "unavailable":
      return { exitCode: exitCodes.unavailable, next: effect === undefined ? tryAgain : giveId };
    case "deadline_exceeded":
      return { exitCode: exitCodes.unavailable, next: effect === undefined ? undefined : giveId };
    default:
      return { exitCode: exitCodes.error, next: undefined };
  }
}

/** The line and the exit code of anything that was thrown. */
export function failureOf(error: unknown): Failure {
  if (error instanceof CliError) {
    const { message, exitCode, facts } = error;
    return { line: oneLine(message), exitCode, ...(facts !== undefined && { facts }) };
  }
  if (error instanceof ConnectError) return connectFailure(error);
  const unreachable = unreachableAddress(error);
  if (unreachable !== undefined)
    return { line: `nothing answers at ${unreachable}; ${bringUp}`, exitCode: exitCodes.unavailable };
  const line = oneLine(told(error));
  return { line, exitCode: isBadPort.test(line) ? exitCodes.usage : exitCodes.error };
}

function connectFailure(error: ConnectError): Failure {
  const unreachable = unreachableAddress(error.cause);
  if (unreachable !== undefined)
    return { line: `nothing answers at ${unreachable}; ${bringUp}`, exitCode: exitCodes.unavailable };
  const code = snakeCase(Code[error.code] ?? "unknown");
  const facts = errorFacts(code, detailsOf(error), error.metadata.get(headers.requestId));
  // Of the API, not of a call: what helps there would lead nowhere here.
  if (error.code === Code.DeadlineExceeded) {
    const line = `${code}: the control plane did not answer in time; try again, or look into its log`;
    return { line, exitCode: exitCodes.unavailable, facts };
  }
  const { exitCode, next } = adviceFor(facts);
  const words =
    error.cause === undefined ? error.rawMessage : told(new Error(error.rawMessage, { cause: error.cause }));
  return { line: oneLine(`${code}: ${words}${next === undefined ? "" : `; ${next}`}`), exitCode, facts };
}

/** @param details as Connect's error body has them @param request of the answer's header */
export function errorFacts(code: string, details: readonly unknown[], request: string | null): ErrorFacts {
  const { reason, metadata, retryAfterMs } = readDetails(details);
  return {
    code,
    ...(reason !== undefined && { reason }),
    ...(metadata?.["effect"] === unknownEffect.effect && unknownEffect),
    ...(request !== null && { request }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

/** Of an answer; those that this process made have no bytes. */
function detailsOf({ details }: ConnectError): readonly unknown[] {
  return details.flatMap((detail) =>
    "type" in detail ? [{ type: detail.type, value: Buffer.from(detail.value).toString("base64") }] : [],
  );
}

/** With what to do where the words do not say it. */
function told(error: unknown): string {
  const words = wordsOf(error).replace(ofOpenSsl, "$<reason>");
  return `${words}${advice.find(([saying]) => saying.test(words))?.[1] ?? ""}`;
}

/** Words of `fetch`. */
const isBadPort = /\bbad port\b/;
/** A line of OpenSSL's log: thread, code, library, function, reason, file and line. */
const ofOpenSsl = /[0-9A-F]+:error:[0-9A-F]+:[^:]*:[^:]*:(?<reason>[^:]+):[^:]+:\d+:\s*/;
/** By the words of OpenSSL for an answer that is no TLS record, and of `fetch`. */
const advice: readonly (readonly [saying: RegExp, next: string])[] = [
  [/wrong version number|packet length too long/i, "; it does not speak TLS: write http://"],
  [isBadPort, ": `fetch` keeps it for another protocol; name another address with --url or VODA_URL"],
];

/** The `host:port` that refused or dropped the connection, when that is what happened. */
function unreachableAddress(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < causesMax; at = at.cause, depth += 1) {
    const inner = at instanceof AggregateError ? at.errors[0] : at;
    const { code, address, port } = inner as NodeJS.ErrnoException & { address?: string; port?: number };
    if (code === "ECONNREFUSED" || code === "ECONNRESET" || code === "ENOTFOUND")
      return address === undefined ? "that address" : `${address}:${port}`;
  }
  return undefined;
}

/** As Connect has its codes on the wire. */
function snakeCase(name: string): string {
  return name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase();
}

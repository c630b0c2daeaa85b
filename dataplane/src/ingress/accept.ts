// Reads a request's head: who is called, by whom, until when. The body stays opaque.
import { hash } from "node:crypto";
import { type SessionName, type SessionToken, sessionToken } from "@voda/proto/session";
import {
  type PathProblem,
  type PlainPath,
  pathOf,
  readPlainPath,
  readSessionPath,
  type TypedPath,
} from "@voda/proto/session-path";
import { headers, headersBytesMax, hostCookie } from "@voda/proto/wire";
import type { Invocation } from "../invocation.ts";
import { recent } from "../recent.ts";
import type { Dialect } from "./dialect.ts";
import { cookieOf, type Head, headerOf, queryOf } from "./head.ts";
import { callMsMax, idempotencyKeyBytesMax, recentNamesMax, recentTextMax } from "./limits.ts";
import { type Failed, Refusal, refuse, unimplemented } from "./refusal.ts";
import { timeoutMs } from "./timeout.ts";

export interface Route {
  readonly agent: string;
  /** Name of the handler. */
  readonly method: string;
  readonly readonly: boolean;
  readonly turnMsMax: number;
  /** How long answers to calls with an idempotency key are kept. */
  readonly dedupeMs: number;
}

/** The agents that this node knows. Failures name what is unknown. */
export interface Routes {
  plain(namespace: string, agent: string, method: string): Route | Failed;
  rpc(service: string, rpc: string, namespace: string, agentHeader: string | undefined): Route | Failed;
}

/** A call whose body is still to come. */
export interface Call {
  readonly route: Route;
  readonly name: SessionName;
  readonly token: SessionToken;
  readonly deadlineMs: number;
  readonly repeat: Repeat | undefined;
  /** The message of a GET; others send theirs as the body. */
  readonly message: Uint8Array | undefined;
  /** The owner that the caller knows. */
  readonly hint: string | undefined;
  /** Path of the session's cookie; only plain paths have one. */
  readonly cookiePath: string | undefined;
}

/** What a retry has in common with the call it repeats. */
interface Repeat {
  readonly kind: "key" | "request";
  readonly text: string;
  readonly keepMs: number;
}

const ANONYMOUS = "anonymous";
/** Envoy repeats a request under the same id for this long at most. */
const requestIdKeepMs = 60_000;
const hashBytes = 16;
const NO_HASH = new Uint8Array(hashBytes);
const REQUEST_ID = /^[\x21-\x7e]{1,256}$/;
const IDEMPOTENCY_KEY = /^[\x20-\x7e]+$/;
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const BASE64URL = /^[A-Za-z0-9_-]*$/;

/** @throws Refusal */
export function acceptCall(head: Head, routes: Routes, nowMs: number): Call {
  if (head.headersBytes > headersBytesMax) {
    throw refuse(
      "too_large",
      `headers of ${head.headersBytes} bytes exceed headersBytesMax ${headersBytesMax}`,
      431,
    );
  }
  const path = readSessionPath(pathOf(head.target), head.headers, plainReading);
  if (path.type === "problem")
    throw refuse(path.reason, path.message, path.reason === "method_not_found" ? 404 : undefined);
  const { route, name, token, cookiePath } =
    path.type === "plain" ? plainTarget(path, routes) : typedTarget(path, routes);
  return {
    route,
    name,
    token,
    deadlineMs: nowMs + Math.min(timeoutMs(head) ?? callMsMax, callMsMax),
    repeat: repeatOf(head, route),
    message: head.method === "GET" ? getMessage(head, route) : undefined,
    hint: headerOf(head, headers.host) ?? (cookiePath === undefined ? undefined : cookieOf(head, hostCookie)),
    cookiePath,
  };
}

interface Target {
  readonly route: Route;
  readonly name: SessionName;
  readonly token: SessionToken;
  readonly cookiePath: string | undefined;
}

/** What follows from a plain path alone. */
interface PlainReading extends PlainPath {
  readonly token: SessionToken;
  readonly cookiePath: string;
}

function readPlain(path: string): PlainReading | PathProblem {
  const plain = readPlainPath(path);
  if (plain.type === "problem") return plain;
  return { ...plain, token: sessionToken(plain.name), cookiePath: plain.prefix.replaceAll(";", "%3B") };
}

const recentPlain = recent(recentNamesMax, readPlain);

function plainReading(path: string): PlainReading | PathProblem {
  return path.length > recentTextMax ? readPlain(path) : recentPlain(path);
}

function plainTarget({ name, token, method, cookiePath }: PlainReading, routes: Routes): Target {
  return { route: known(routes.plain(name.namespace, name.agent, method)), name, token, cookiePath };
}

function typedTarget({ service, rpc, namespace, agent, key }: TypedPath, routes: Routes): Target {
  const route = known(routes.rpc(service, rpc, namespace, agent));
  if (key === undefined) {
    throw refuse(
      "bad_request",
      `${service} is served by sessions: set the header ${headers.session} to the session's key, percent-encoded`,
    );
  }
  const name = { namespace, agent: route.agent, key };
  return { route, name, token: sessionToken(name), cookiePath: undefined };
}

function known(route: Route | Failed): Route {
  if ("failure" in route) throw new Refusal(route.failure);
  return route;
}

function repeatOf(head: Head, route: Route): Repeat | undefined {
  const key = headerOf(head, headers.idempotencyKey);
  if (key === undefined) {
    const text = requestIdOf(head);
    return text === undefined ? undefined : { kind: "request", text, keepMs: requestIdKeepMs };
  }
  if (key.length > idempotencyKeyBytesMax) {
    throw refuse(
      "bad_request",
      `idempotency-key of ${key.length} bytes exceeds idempotencyKeyBytesMax ${idempotencyKeyBytesMax}`,
    );
  }
  if (!IDEMPOTENCY_KEY.test(key))
    throw refuse("bad_request", "idempotency-key is empty or not printable ASCII");
  return { kind: "key", text: key, keepMs: route.dedupeMs };
}

export function requestIdOf(head: Head): string | undefined {
  const id = headerOf(head, headers.requestId);
  return id !== undefined && REQUEST_ID.test(id) ? id : undefined;
}

/** The message in the query of a Connect GET. */
function getMessage(head: Head, route: Route): Uint8Array {
  if (!route.readonly)
    throw unimplemented(`${route.method} writes: HTTP method GET is for readonly methods; send POST`, 405);
  const query = queryOf(head);
  const message = query.get("message") ?? "";
  if (query.get("base64") !== "1") return Buffer.from(message);
  const unpadded = message.replace(/=+$/, "");
  if (!BASE64URL.test(unpadded)) throw refuse("bad_request", "the query's message is not URL-safe base64");
  return Buffer.from(unpadded, "base64url");
}

export function invocationOf(head: Head, { content }: Dialect, call: Call, body: Uint8Array): Invocation {
  const { name, token, route, repeat } = call;
  const trace = headerOf(head, headers.traceparent);
  return {
    name,
    token,
    method: route.method,
    readonly: route.readonly,
    content,
    body,
    deadlineMs: call.deadlineMs,
    id: repeat === undefined ? undefined : idOf(name, repeat),
    keepMs: repeat?.keepMs ?? 0,
    bodyHash: repeat === undefined ? NO_HASH : bodyHashOf(route.method, content, body),
    caller: ANONYMOUS,
    traceparent: trace !== undefined && TRACEPARENT.test(trace) ? trace : undefined,
    hops: 0,
    grant: headerOf(head, headers.grant),
  };
}

function idOf({ namespace, agent, key }: SessionName, { kind, text }: Repeat): Uint8Array {
  return first16(hash("sha256", `${ANONYMOUS}\0${namespace}/${agent}/${key}\0${kind}\0${text}`, "buffer"));
}

function bodyHashOf(method: string, content: string, body: Uint8Array): Uint8Array {
  return first16(hash("sha256", Buffer.concat([Buffer.from(`${method}\0${content}\0`), body]), "buffer"));
}

function first16(digest: Buffer): Uint8Array {
  return new Uint8Array(digest.subarray(0, hashBytes));
}

// Reads a request's head: who is called, by whom, until when. The body stays opaque.
import { hash } from "node:crypto";
import type { SessionName, SessionToken } from "@voda/proto/session";
import { headers, headersBytesMax } from "@voda/proto/wire";
import { anonymous, type Call, type CallId } from "../call/index.ts";
import type { Dialect } from "./dialect/index.ts";
import { type Head, headerOf } from "./head.ts";
import { callMsMax, idempotencyKeyBytesMax } from "./limits.ts";
import { refuse, unimplemented } from "./refusal.ts";
import { pathIn, type Route, type Routes, routeOf, sessionOf } from "./target.ts";

/** A call whose body is still to come. */
export interface Accepted {
  readonly route: Route;
  readonly name: SessionName;
  readonly token: SessionToken;
  /** Monotonic. */
  readonly deadlineMs: number;
  readonly repeat: Repeat | undefined;
}

/** What a retry has in common with the call it repeats. */
interface Repeat {
  readonly kind: "key" | "request";
  readonly text: string;
  readonly keepMs: number;
}

/** Envoy repeats a request under the same id for this long at most. */
const requestIdKeepMs = 60_000;
const hashBytes = 16;
const requestIdText = /^[\x21-\x7e]{1,256}$/;
const idempotencyKeyText = /^[\x20-\x7e]+$/;
const traceparentText = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The path is looked at first: who is told of a content type believes that the path was right. @throws Refusal */
export function acceptHead(head: Head, dialect: Dialect, routes: Routes, nowMs: number): Accepted {
  if (head.headersBytes > headersBytesMax) {
    throw refuse(
      "too_large",
      `headers of ${head.headersBytes} bytes exceed headersBytesMax ${headersBytesMax}`,
      431,
    );
  }
  const path = pathIn(head);
  const route = routeOf(path, routes);
  const problem = dialect.problem(head);
  if (problem !== undefined) throw problem;
  if (head.method === "GET" && !route.readonly)
    throw unimplemented(`${route.method} writes: HTTP method GET is for readonly methods; send POST`, 405);
  const { name, token } = sessionOf(path, route);
  const deadlineMs = nowMs + Math.min(dialect.timeoutMs(head) ?? callMsMax, callMsMax);
  return { route, name, token, deadlineMs, repeat: repeatOf(head, route) };
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
  if (!idempotencyKeyText.test(key))
    throw refuse("bad_request", "idempotency-key is empty or not printable ASCII");
  return { kind: "key", text: key, keepMs: route.dedupeMs };
}

export function requestIdOf(head: Head): string | undefined {
  const id = headerOf(head, headers.requestId);
  return id !== undefined && requestIdText.test(id) ? id : undefined;
}

export function callOf(
  head: Head,
  { content }: Dialect,
  { name, token, route, deadlineMs, repeat }: Accepted,
  body: Uint8Array,
  number: number,
): Call {
  const trace = headerOf(head, headers.traceparent);
  return {
    head: {
      number,
      type: "invoke",
      readonly: route.readonly,
      deadlineMs,
      id: repeat === undefined ? undefined : callIdOf(name, repeat, bodyHashOf(route.method, content, body)),
      hops: 0,
      bytes: body.length,
    },
    name,
    token,
    method: route.method,
    content,
    body,
    caller: anonymous,
    traceparent: trace !== undefined && traceparentText.test(trace) ? trace : undefined,
    grant: headerOf(head, headers.grant),
    devices: undefined,
  };
}

function callIdOf(name: SessionName, repeat: Repeat, rawHash: Uint8Array): CallId {
  return { type: "key", id: idOf(name, repeat), keepMs: repeat.keepMs, rawHash };
}

function idOf({ namespace, agent, key }: SessionName, { kind, text }: Repeat): Uint8Array {
  return first16(hash("sha256", `${anonymous}\0${namespace}/${agent}/${key}\0${kind}\0${text}`, "buffer"));
}

function bodyHashOf(method: string, content: string, body: Uint8Array): Uint8Array {
  return first16(hash("sha256", Buffer.concat([Buffer.from(`${method}\0${content}\0`), body]), "buffer"));
}

function first16(digest: Buffer): Uint8Array {
  return new Uint8Array(digest.subarray(0, hashBytes));
}

// Reads a request's head: who is called, by whom, until when. The body stays opaque.
import type { SessionName, SessionToken } from "@voda/proto/session";
import { headers, headersBytesMax } from "@voda/proto/wire";
import { anonymous, type Call, type CallId, type Content, draftCall } from "../call/index.ts";
import { ownedId, type Repeat, rawHashOf, repeatOf, requestIdOf } from "./call-id.ts";
import type { Dialect } from "./dialect/index.ts";
import { headerOf, type RequestHead } from "./head.ts";
import { callMsDefault, callMsMax } from "./limits.ts";
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
  readonly content: Content;
  readonly traceparent: string | undefined;
  readonly requestId: string | undefined;
  readonly grant: string | undefined;
}

export interface Acceptance {
  readonly dialect: Dialect;
  readonly routes: Routes;
  readonly nowMs: number;
  /** Whether the request has the proof that it came through Envoy. */
  readonly isFromEdge: boolean;
}

const traceparentText = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * The path is looked at first: who is told of a content type believes that the path was right. @throws
 * Refusal
 */
export function acceptHead(head: RequestHead, { dialect, routes, nowMs, isFromEdge }: Acceptance): Accepted {
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
  const trace = headerOf(head, headers.traceparent);
  const leftMs = callMs(route, dialect.timeoutMs(head));
  // Both specifications want a positive number, and grpc-go sends 0 for a deadline that has just passed.
  if (leftMs === 0)
    throw refuse(
      "turn_timeout",
      "the caller's time limit is 0 ms, so the call did not begin: give it more time, or none",
    );
  return {
    route,
    name,
    token,
    deadlineMs: nowMs + leftMs,
    repeat: repeatOf(head, { isFromEdge, dedupeMs: route.dedupeMs, callMs: leftMs }),
    content: dialect.content,
    traceparent: trace !== undefined && traceparentText.test(trace) ? trace : undefined,
    requestId: requestIdOf(head),
    grant: isFromEdge ? headerOf(head, headers.grant) : undefined,
  };
}

/**
 * The caller's own deadline decides; without one a call may take what its agent's longest turn may, and a
 * minute anyway.
 */
function callMs({ turnMsMax }: Route, askedMs: number | undefined): number {
  return Math.min(askedMs ?? Math.max(callMsDefault, turnMsMax), callMsMax);
}

/** The call of a head that was accepted, with its body. */
export function callOf(accepted: Accepted, body: Uint8Array, number: number): Call {
  const { route, name, content, repeat } = accepted;
  const call = draftCall(accepted, body, number);
  call.head.readonly = route.readonly;
  call.head.onBusy = route.onBusy;
  if (repeat !== undefined) call.head.id = callIdOf(name, repeat, rawHashOf(route.method, content, body));
  call.method = route.method;
  call.content = content;
  call.traceparent = accepted.traceparent;
  call.requestId = accepted.requestId;
  call.grant = accepted.grant;
  return call;
}

function callIdOf(name: SessionName, repeat: Repeat, rawHash: Uint8Array): CallId {
  if (repeat.type === "key")
    return { type: "key", id: ownedId(anonymous, name, repeat.text), keepMs: repeat.keepMs, rawHash };
  const { seq, lowest } = repeat;
  return {
    type: "numbered",
    client: ownedId(anonymous, name, `client\0${repeat.client}`),
    seq,
    lowest,
    rawHash,
  };
}

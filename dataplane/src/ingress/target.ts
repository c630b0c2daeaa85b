// Who is called: the session and the handler that a path and its headers name.
import { type NamedSession, type SessionToken, sessionToken } from "@voda/proto/session";
import {
  type PathProblem,
  type PlainPath,
  pathOf,
  readPlainPath,
  readSessionPath,
  type TypedPath,
} from "@voda/proto/session-path";
import { headers } from "@voda/proto/wire";
import type { Failed, OnBusy } from "../call/index.ts";
import { recent } from "../recent.ts";
import type { RequestHead } from "./head.ts";
import { recentNamesMax, recentTextMax } from "./limits.ts";
import { Refusal, refuse } from "./refusal.ts";

export interface Route {
  readonly agent: string;
  /** Name of the handler. */
  readonly method: string;
  readonly readonly: boolean;
  readonly turnMsMax: number;
  readonly onBusy: OnBusy;
  /** How long answers to calls with an idempotency key are kept. */
  readonly dedupeMs: number;
}

/** The agents that this node knows. Failures name what is unknown. */
export interface Routes {
  plain(namespace: string, agent: string, method: string): Route | Failed;
  rpc(service: string, rpc: string, namespace: string, agentHeader: string | undefined): Route | Failed;
}

/** What follows from a plain path alone. */
type PlainReading = PlainPath & { readonly token: SessionToken };

function readPlain(path: string): PlainReading | PathProblem {
  const plain = readPlainPath(path);
  return plain.type === "problem" ? plain : { ...plain, token: sessionToken(plain.name) };
}

const recentPlain = recent(recentNamesMax, readPlain);

function plainReading(path: string): PlainReading | PathProblem {
  return path.length > recentTextMax ? readPlain(path) : recentPlain(path);
}

/** @throws Refusal */
export function pathIn(head: RequestHead): PlainReading | TypedPath {
  const path = readSessionPath(pathOf(head.target), head.headers, plainReading);
  if (path.type !== "problem") return path;
  throw refuse(path.reason, path.message, path.reason === "method_not_found" ? notFound : undefined);
}

/** @throws Refusal */
export function routeOf(path: PlainReading | TypedPath, routes: Routes): Route {
  const route =
    path.type === "plain"
      ? routes.plain(path.name.namespace, path.name.agent, path.method)
      : routes.rpc(path.service, path.rpc, path.namespace, path.agent);
  if (!("failure" in route)) return route;
  const { failure } = route;
  throw new Refusal(failure, failure.reason === "method_not_found" ? notFound : undefined);
}

/** @throws Refusal */
export function sessionOf(path: PlainReading | TypedPath, route: Route): NamedSession {
  if (path.type === "plain") return path;
  const { namespace, key, service } = path;
  if (key === undefined) {
    throw refuse(
      "bad_request",
      `${service} is served by sessions: set ${headers.session} to the session's key, percent-encoded`,
    );
  }
  const name = { namespace, agent: route.agent, key };
  return { name, token: sessionToken(name) };
}

/** A path that leads nowhere is 404 in HTTP, whatever part of it is not known. */
const notFound = 404;

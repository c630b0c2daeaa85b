// One proxy's stream: four subscriptions, and the order in which their responses may go out (make before
// break).
import { kinds, type ResourceKind } from "../resource/kind.ts";
import type { Sealed, SealedSnapshot } from "../snapshot/snapshot.ts";
import {
  type Ask,
  absences,
  answered,
  changeSubscription,
  openSubscription,
  removals,
  retryRejected,
  type Subscription,
  sent,
  upserts,
} from "./subscription.ts";

/** One stream of one proxy. It is changed in place: whoever holds it owns it. */
export interface Stream {
  readonly subscriptions: Map<ResourceKind, Subscription>;
  snapshot: SealedSnapshot | undefined;
  responses: number;
}

/** A request of the proxy, with what it says about the response before it. */
export interface StreamRequest extends Ask {
  /** Of the response that this answers, or "". */
  readonly nonce: string;
  /** Why the proxy refuses that response. */
  readonly error: string | undefined;
}

/** What is to be sent: resources that are new or changed, and names of those that are gone. */
export interface StreamResponse {
  readonly kind: ResourceKind;
  readonly nonce: string;
  readonly upserts: readonly Sealed[];
  readonly removals: readonly string[];
}

/**
 * A stream that has heard nothing yet. Without a snapshot it stays silent, so that the proxy keeps what it
 * has.
 */
export function openStream(snapshot: SealedSnapshot | undefined): Stream {
  return { subscriptions: new Map(), snapshot, responses: 0 };
}

/** @returns whether the request refused a response that was waiting for its answer */
export function receive(stream: Stream, kind: ResourceKind, request: StreamRequest): boolean {
  const subscription = stream.subscriptions.get(kind);
  if (subscription === undefined) {
    stream.subscriptions.set(kind, openSubscription(request, kind === "cluster" || kind === "listener"));
    return false;
  }
  const refused =
    answered(subscription, request.nonce, request.error === undefined) && request.error !== undefined;
  // What a request asks for counts even when it answers an old response.
  changeSubscription(subscription, request);
  return refused;
}

/** Brings the stream towards a new snapshot; what waits for an answer is merged into the next response. */
export function publish(stream: Stream, snapshot: SealedSnapshot): void {
  const before = stream.snapshot;
  stream.snapshot = snapshot;
  for (const [kind, subscription] of stream.subscriptions) {
    if (before !== undefined && differs(before, snapshot, kind)) retryRejected(subscription);
  }
}

function differs(a: SealedSnapshot, b: SealedSnapshot, kind: ResourceKind): boolean {
  const [left, right] = [a.resources[kind], b.resources[kind]];
  return (
    left.size !== right.size || [...left].some(([name, { version }]) => right.get(name)?.version !== version)
  );
}

/** The next response that may go out, noted as sent; call until there is none. */
export function nextResponse(stream: Stream): StreamResponse | undefined {
  const { snapshot } = stream;
  if (snapshot === undefined) return undefined;
  for (const kind of kinds) {
    const subscription = stream.subscriptions.get(kind);
    if (subscription === undefined || subscription.pending !== undefined) continue;
    if (waits(stream, snapshot, kind)) continue;
    const { added, removed } = allowed(stream, snapshot, kind, subscription);
    if (added.length + removed.length === 0 && !subscription.answerDue) continue;
    stream.responses += 1;
    const nonce = String(stream.responses);
    sent(subscription, nonce, added, removed);
    if (kind === "cluster") resendAssignments(stream, snapshot, added);
    return { kind, nonce, upserts: added, removals: removed };
  }
  return undefined;
}

/**
 * Routes are not warmed by Envoy: every cluster and its endpoints must be there before a route may name it.
 */
function waits(stream: Stream, snapshot: SealedSnapshot, kind: ResourceKind): boolean {
  return (kind === "listener" || kind === "route") && !clustersReady(stream, snapshot);
}

/** What may be sent now; what is still in use by something else is removed later. */
function allowed(
  stream: Stream,
  snapshot: SealedSnapshot,
  kind: ResourceKind,
  subscription: Subscription,
): { added: Sealed[]; removed: string[] } {
  const resources = snapshot.resources[kind];
  const keeps =
    (kind === "cluster" &&
      !(isUpToDate(stream, snapshot, "listener") && isUpToDate(stream, snapshot, "route"))) ||
    (kind === "assignment" && !isUpToDate(stream, snapshot, "cluster"));
  return {
    added: upserts(subscription, resources),
    removed: keeps ? [] : [...removals(subscription, resources), ...absences(subscription, resources)],
  };
}

/**
 * The proxy has accepted exactly what the snapshot has of this kind. One that has not asked for the kind yet
 * may have it from an earlier stream.
 */
function isUpToDate(stream: Stream, snapshot: SealedSnapshot, kind: ResourceKind): boolean {
  const subscription = stream.subscriptions.get(kind);
  const resources = snapshot.resources[kind];
  if (subscription === undefined) return resources.size === 0;
  const isDone = subscription.pending === undefined && subscription.rejected.size === 0;
  return (
    isDone && upserts(subscription, resources).length === 0 && removals(subscription, resources).length === 0
  );
}

function clustersReady(stream: Stream, snapshot: SealedSnapshot): boolean {
  const clusters = stream.subscriptions.get("cluster");
  if (clusters === undefined) return true;
  const assignments = stream.subscriptions.get("assignment");
  return [...snapshot.resources.cluster.values()].every(({ name, version }) => {
    if (!clusters.wildcard && !clusters.names.has(name)) return true;
    const assignment = snapshot.assignmentOf.get(name);
    const hasAssignment =
      assignment === undefined || (assignments !== undefined && hasAccepted(assignments, assignment));
    return hasAssignment && hasAccepted(clusters, name) && clusters.known.get(name) === version;
  });
}

const hasAccepted = ({ known, pending }: Subscription, name: string): boolean =>
  known.has(name) && !(pending?.sent.has(name) ?? false);

/** A changed cluster is warm only after another response with its endpoints, even if they are the same. */
function resendAssignments(stream: Stream, snapshot: SealedSnapshot, clusters: readonly Sealed[]): void {
  const assignments = stream.subscriptions.get("assignment");
  for (const { name } of clusters) {
    const assignment = snapshot.assignmentOf.get(name);
    if (assignment !== undefined) assignments?.known.delete(assignment);
  }
}

/**
 * The proxy has accepted exactly the snapshot, as far as it asks for it; every proxy asks for clusters and
 * listeners.
 */
export function isAccepted(stream: Stream): boolean {
  const { snapshot, subscriptions } = stream;
  if (snapshot === undefined || !subscriptions.has("cluster") || !subscriptions.has("listener")) return false;
  return clustersReady(stream, snapshot) && kinds.every((kind) => isUpToDate(stream, snapshot, kind));
}

// Which nodes live and which are lost (DESIGN 5.5, PROTOCOL 5.7). Pure: time comes with each event.
import { unreachable } from "@voda/stdx";

/**
 * One life of a node as the control plane sees it.
 *
 * - `living`: the lease holds.
 * - `lapsed`: the lease ended; the node may still be there, its heartbeat decides.
 *
 * A lost node is not in the state any more: only a new incarnation brings it back.
 */
export interface NodeState {
  readonly state: "living" | "lapsed";
  readonly incarnation: string;
  /** The incarnation before this one: its late events are told apart. */
  readonly before: string;
  /** The lease or a heartbeat came last at this time. */
  readonly heardMs: number;
}

/** Never changed in place: a step makes a new one. */
export interface LeaseState {
  readonly nodes: ReadonlyMap<string, NodeState>;
  /** When leases ended by themselves within the last `massWindowMs`. */
  readonly endings: readonly number[];
  /** Until then no node is given up by its silence. */
  readonly holdUntilMs: number;
}

interface OfNode {
  readonly node: string;
  readonly incarnation: string;
  /** Of one monotonic clock. */
  readonly nowMs: number;
}

/** What is heard of nodes, with the monotonic time of hearing. */
export type LeaseEvent =
  /** A lease was made or renewed; `succeeds` names the incarnation whose sessions are still in memory. */
  | ({ readonly type: "lease"; readonly succeeds: string } & OfNode)
  /** The expiry marker of the lease: nobody renewed it. */
  | ({ readonly type: "expired" } & OfNode)
  /** The word, left in the bucket of leases, that this life is over. */
  | ({ readonly type: "obituary" } & OfNode)
  | ({ readonly type: "heartbeat" } & OfNode)
  | { readonly type: "tick"; readonly nowMs: number };
type Of<Type extends LeaseEvent["type"]> = Extract<LeaseEvent, { type: Type }>;

/** What the directory and Envoy must be told. */
export type LeaseEffect =
  /** A new life; nothing of an earlier one is in its memory. */
  | { readonly type: "joined"; readonly node: string; readonly incarnation: string }
  /** A new lease of a node that kept its sessions. */
  | { readonly type: "returned"; readonly node: string; readonly incarnation: string }
  /** No new sessions for it; those it has stay until more is known. */
  | { readonly type: "lapsed"; readonly node: string; readonly incarnation: string }
  | {
      readonly type: "lost";
      readonly node: string;
      readonly incarnation: string;
      readonly cause: "obituary" | "silence";
    }
  /** So many leases ended at once that the store is the likelier cause than the nodes. */
  | { readonly type: "held"; readonly leases: number; readonly untilMs: number };

/** The state after an event, and what follows from it. */
export interface Step {
  readonly state: LeaseState;
  readonly effects: readonly LeaseEffect[];
}

/** A heartbeat comes each second; silence this long counts. */
export const silenceMs = 3_000;
const massWindowMs = 1_000;
const massHoldMs = 10_000;
/** More than this part of the leases is a mass expiry. */
const massPart = 1 / 3;
/** One lease that ends is never "all at once", however few nodes there are. */
const massLeasesMin = 2;

/** Before the first event. */
export const noLeases: LeaseState = { nodes: new Map(), endings: [], holdUntilMs: Number.NEGATIVE_INFINITY };

/** The whole machine. Effects come in the order in which they must be applied. */
export function step(state: LeaseState, event: LeaseEvent): Step {
  switch (event.type) {
    case "lease":
      return onLease(state, event);
    case "expired":
      return onExpired(state, event);
    case "obituary":
      return onObituary(state, event);
    case "heartbeat":
      return { state: heard(state, event), effects: [] };
    case "tick":
      return onTick(state, event.nowMs);
    default:
      return unreachable(event);
  }
}

/** A renewal of a living incarnation changes nothing; an earlier incarnation never comes back. */
function onLease(state: LeaseState, { node, incarnation, succeeds, nowMs }: Of<"lease">): Step {
  const known = state.nodes.get(node);
  if (known?.incarnation === incarnation || known?.before === incarnation) return { state, effects: [] };
  const after = withNode(state, node, {
    state: "living",
    incarnation,
    before: known?.incarnation ?? succeeds,
    heardMs: nowMs,
  });
  if (known === undefined) return { state: after, effects: [{ type: "joined", node, incarnation }] };
  // it goes on from the one before where it does not know that the last one was stored
  if (succeeds === known.incarnation || (succeeds !== "" && succeeds === known.before))
    return { state: after, effects: [{ type: "returned", node, incarnation }] };
  const lost: LeaseEffect = { type: "lost", node, incarnation: known.incarnation, cause: "obituary" };
  return { state: after, effects: [lost, { type: "joined", node, incarnation }] };
}

function onExpired(state: LeaseState, { node, incarnation, nowMs }: Of<"expired">): Step {
  const known = state.nodes.get(node);
  if (known?.state !== "living" || known.incarnation !== incarnation) return { state, effects: [] };
  const endings = [...state.endings.filter((at) => nowMs - at < massWindowMs), nowMs];
  const lapsed: LeaseEffect = { type: "lapsed", node, incarnation };
  const after: LeaseState = { ...withNode(state, node, { ...known, state: "lapsed" }), endings };
  if (!isMass(endings.length, state.nodes.size)) return { state: after, effects: [lapsed] };
  const untilMs = nowMs + massHoldMs;
  return {
    state: { ...after, holdUntilMs: untilMs },
    effects: [lapsed, { type: "held", leases: endings.length, untilMs }],
  };
}

function isMass(ended: number, nodes: number): boolean {
  return ended >= massLeasesMin && ended > nodes * massPart;
}

/**
 * Over a living lease only the node itself writes one: at its end, or in its next life. Over a lease that has
 * ended any node may, as a proof that it ended, which says nothing of the process: the heartbeat goes on to
 * decide. Its author may not know the node's id, but incarnations are unique.
 */
function onObituary(state: LeaseState, { incarnation }: Of<"obituary">): Step {
  for (const [node, known] of state.nodes) {
    if (known.state !== "living" || known.incarnation !== incarnation) continue;
    return {
      state: withoutNode(state, node),
      effects: [{ type: "lost", node, incarnation, cause: "obituary" }],
    };
  }
  return { state, effects: [] };
}

function heard(state: LeaseState, { node, incarnation, nowMs }: Of<"heartbeat">): LeaseState {
  const known = state.nodes.get(node);
  return known?.incarnation === incarnation ? withNode(state, node, { ...known, heardMs: nowMs }) : state;
}

function onTick(state: LeaseState, nowMs: number): Step {
  if (nowMs < state.holdUntilMs) return { state, effects: [] };
  let after = state;
  const effects: LeaseEffect[] = [];
  for (const [node, known] of state.nodes) {
    if (known.state !== "lapsed" || nowMs - known.heardMs < silenceMs) continue;
    after = withoutNode(after, node);
    effects.push({ type: "lost", node, incarnation: known.incarnation, cause: "silence" });
  }
  return { state: after, effects };
}

/** Whether the node may get new sessions: its lease holds and it has been heard. */
export function isReady(state: LeaseState, node: string, nowMs: number): boolean {
  const known = state.nodes.get(node);
  return known?.state === "living" && nowMs - known.heardMs < silenceMs;
}

/**
 * Whether its sessions are nobody's: its lease has ended, so the node itself serves them no more, though its
 * heart may beat. While a mass of leases ended at once the store is the likelier cause, and the owners come
 * back to what they have.
 */
export function isLapsed(state: LeaseState, node: string, nowMs: number): boolean {
  return state.nodes.get(node)?.state === "lapsed" && nowMs >= state.holdUntilMs;
}

function withNode(state: LeaseState, node: string, value: NodeState): LeaseState {
  return { ...state, nodes: new Map(state.nodes).set(node, value) };
}

function withoutNode(state: LeaseState, node: string): LeaseState {
  const nodes = new Map(state.nodes);
  nodes.delete(node);
  return { ...state, nodes };
}

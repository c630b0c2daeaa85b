// Which node hosts which session. In memory only: rebuilt from the nodes' reports. What sessions take of
// their nodes is on the books of the pool, and nowhere else.
import type { Activation, Heartbeat, Report } from "@voda/proto/node";
import { isSessionToken, type SessionName, type SessionToken, sessionToken } from "@voda/proto/session";
import { assert, BoundedMap } from "@voda/stdx";
import {
  cutToFit,
  type DeviceShare,
  heldOn,
  inTheWayOf,
  type NodeSpec,
  type NodeUse,
  type Placed,
  type Pool,
  type PoolPlan,
  type PoolRequest,
} from "../placement/index.ts";
import { Refusals } from "./refusals.ts";

/** A node in one of its lives. */
export interface DirectoryNode extends NodeSpec {
  readonly incarnation: string;
  /** `ip:port`. */
  readonly ingress: string;
}

/** Where a session is, or was sent. */
export interface Owner {
  readonly node: string;
  /** Whether the node itself said so; else it was only sent there. */
  readonly isConfirmed: boolean;
  /** 0 until confirmed. */
  readonly epoch: bigint;
  readonly devices: readonly DeviceShare[];
}

/** What is known of a session that is wanted. */
export type Known =
  | {
      readonly type: "owner";
      readonly node: DirectoryNode;
      /** Whether the node itself said so; else it was only sent there. */
      readonly isConfirmed: boolean;
      readonly devices: readonly DeviceShare[];
    }
  | {
      readonly type: "nobody";
      /** Where it fell asleep. */
      readonly warmNode: string | undefined;
    };

/** Who holds devices, in which claim. */
export interface Holder {
  readonly name: SessionName;
  readonly epoch: bigint;
}

/** The state of a session after a command, by its node. */
export interface Told {
  readonly node: string;
  /** Of the claim that the command began, or ended; 0 when it is over already. */
  readonly epoch: bigint;
  readonly isAwake: boolean;
}

interface Entry {
  readonly node: string;
  readonly isConfirmed: boolean;
  readonly epoch: bigint;
  readonly placed: Placed;
  /** Only where it is confirmed and holds devices: who wants it to sleep must name it. */
  readonly name?: SessionName;
}

interface NodeEntry {
  node: DirectoryNode;
  /** Of the node in the pool's books. */
  readonly slot: number;
  /** Number of the last report that was applied. */
  sequence: bigint;
  /** Its lease has ended: what it had is nobody's until a report under a new one, or another owner's. */
  isLapsed: boolean;
}

/**
 * A grant may be used for 10 s, by clocks that differ by 1 s; the node then has this long to read the
 * session's log and open it.
 */
const nodeWaitMs = 4_000;
/**
 * A placement that no report confirms is forgotten after this: as long as a grant for it may still take the
 * room on the node. Each new grant begins it anew.
 */
export const tentativeMs = 11_000 + nodeWaitMs;
/** Entries; beyond it sessions are still placed, but not remembered until a report finds room. */
const directorySessionsMax = 1_000_000;

/** Sessions that sleep and whose last node is remembered, about 100 bytes each. */
const warmSessionsMax = 100_000;

/** What the directory counts in, and how it learns what a session takes. */
export interface DirectoryOptions {
  /** The books, without nodes. */
  readonly pool: Pool;
  /** What a session takes; nothing for one of an agent that is not known. */
  readonly requestOf: (name: SessionName, token: SessionToken) => PoolRequest;
}

/** Mutable, in memory, and written by one follower of the nodes and one scheduler. */
export class Directory {
  readonly #pool: Pool;
  readonly #requestOf: DirectoryOptions["requestOf"];
  readonly #nodes = new Map<string, NodeEntry>();
  readonly #unsynced = new Set<string>();
  readonly #sessions = new Map<SessionToken, Entry>();
  /** When tentative entries expire, the first first: all live equally long. */
  readonly #tentative = new Map<SessionToken, number>();
  readonly #refusals: Refusals;
  /**
   * Where sessions that sleep were last: a wake there may find the session's data in the node's memory. Who
   * slept longest is forgotten.
   */
  readonly #warm = new BoundedMap<SessionToken, string>(warmSessionsMax);

  constructor({ pool, requestOf }: DirectoryOptions) {
    this.#pool = pool;
    this.#requestOf = requestOf;
    this.#refusals = new Refusals(pool);
  }

  /**
   * A node in a new life: nothing is in its memory, and its first report is awaited.
   * @throws BooksError when the pool cannot hold it
   */
  join(node: DirectoryNode): void {
    this.drop(node.id);
    this.#nodes.set(node.id, { node, slot: this.#pool.join(node), sequence: 0n, isLapsed: false });
    this.#unsynced.add(node.id);
  }

  /** A node under a new lease with its sessions still in memory. */
  rejoin(node: DirectoryNode): void {
    const entry = this.#nodes.get(node.id);
    if (entry === undefined) return this.join(node);
    entry.node = node;
    entry.sequence = 0n;
    entry.isLapsed = false;
    this.#unsynced.add(node.id);
  }

  drop(id: string): void {
    const entry = this.#nodes.get(id);
    if (entry === undefined) return;
    for (const token of this.#tokensOn(entry)) this.#forget(token);
    this.#refusals.dropOn(entry.slot);
    this.#nodes.delete(id);
    this.#unsynced.delete(id);
    this.#pool.leave(id);
  }

  setReady(id: string, isReady: boolean): void {
    this.#pool.setReady(id, isReady);
  }

  setLapsed(id: string, isLapsed: boolean): void {
    const entry = this.#nodes.get(id);
    if (entry !== undefined) entry.isLapsed = isLapsed;
  }

  /** By id. */
  nodes(): DirectoryNode[] {
    return Array.from(this.#nodes.values(), ({ node }) => node).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** What is taken of a node. */
  useOf(id: string): NodeUse | undefined {
    const slot = this.#nodes.get(id)?.slot;
    return slot === undefined ? undefined : this.#pool.useOf(slot);
  }

  /** Nodes that must be asked for a full report: until one, what they have is not known for sure. */
  unsynced(): string[] {
    return [...this.#unsynced];
  }

  get size(): number {
    return this.#sessions.size;
  }

  ownerOf(token: SessionToken, nowMs: number): Owner | undefined {
    const entry = this.#sessions.get(token);
    if (entry === undefined || (!entry.isConfirmed && (this.#tentative.get(token) ?? 0) <= nowMs))
      return undefined;
    if (this.#nodes.get(entry.node)?.isLapsed !== false) return undefined;
    const { node, isConfirmed, epoch, placed } = entry;
    return { node, isConfirmed, epoch, devices: this.#pool.devicesOf(placed) };
  }

  /**
   * All that is known of a session that is wanted now. A placement that nobody confirmed is kept for one more
   * grant; it is given up when its node gets no sessions now.
   */
  find(token: SessionToken, nowMs: number): Known {
    this.expire(nowMs);
    const entry = this.#sessions.get(token);
    if (entry === undefined) return { type: "nobody", warmNode: this.#warm.get(token) };
    const home = this.#nodes.get(entry.node);
    const isLeft = !entry.isConfirmed && !this.#pool.isReady(entry.placed.node);
    if (home === undefined || home.isLapsed || isLeft) {
      // gone from the books too: a session is decided where it has no place
      this.#forget(token);
      return { type: "nobody", warmNode: undefined };
    }
    const { isConfirmed, placed } = entry;
    if (!isConfirmed) {
      this.#tentative.delete(token);
      this.#tentative.set(token, nowMs + tentativeMs);
    }
    return { type: "owner", node: home.node, isConfirmed, devices: this.#pool.devicesOf(placed) };
  }

  /**
   * Books a plan that was made now, until a report confirms it or `tentativeMs` have passed, and tells whose
   * it is.
   */
  reserve(token: SessionToken, plan: PoolPlan, nowMs: number): DirectoryNode {
    const entry = this.#nodes.get(plan.nodeId);
    assert(entry !== undefined, `a plan made now is for node ${plan.nodeId}, which is not there`);
    const { request, kind, node, mask } = plan;
    const placed: Placed = { request, kind, node, mask };
    const isKept = this.#remember(token, { node: plan.nodeId, isConfirmed: false, epoch: 0n, placed }, true);
    if (isKept) this.#tentative.set(token, nowMs + tentativeMs);
    return entry.node;
  }

  /**
   * What a node answered to a command, whose report may be on the way: who asks next is told the same. A
   * report of another claim counts.
   */
  told(token: SessionToken, { node, epoch, isAwake }: Told): void {
    const known = this.#sessions.get(token);
    const home = this.#nodes.get(node);
    if (known?.node !== node || home === undefined) return;
    if (isAwake && epoch > 0n && !known.isConfirmed) {
      this.#tentative.delete(token);
      this.#sessions.set(token, { ...known, isConfirmed: true, epoch });
    }
    if (!isAwake && known.isConfirmed && known.epoch === epoch) this.#sleep(home, token);
  }

  /** Gives up a placement that nobody confirmed. */
  release(token: SessionToken): void {
    if (this.#sessions.get(token)?.isConfirmed === false) this.#forget(token);
  }

  /** A session that its node says is awake and that holds devices. */
  holderOf(session: string): Holder | undefined {
    const entry = isSessionToken(session) ? this.#sessions.get(session) : undefined;
    return entry?.name && { name: entry.name, epoch: entry.epoch };
  }

  /** Frees what tentative placements held that nobody confirmed, and what nodes refused a while ago. */
  expire(nowMs: number): void {
    this.#refusals.expire(nowMs);
    for (const [token, expiresMs] of this.#tentative) {
      if (expiresMs > nowMs) return;
      this.#forget(token);
    }
  }

  /** `gap`: a report was lost, or the node is not known in this life; it must be asked for a full one. */
  apply(report: Report, nowMs: number): "applied" | "known" | "gap" {
    const entry = this.#nodes.get(report.node);
    if (entry === undefined || entry.node.incarnation !== report.incarnation) return "gap";
    if (report.sequence <= entry.sequence) return "known";
    if (!report.full && (report.sequence !== entry.sequence + 1n || this.#unsynced.has(report.node))) {
      this.#unsynced.add(report.node);
      return "gap";
    }
    if (report.full) this.#clearConfirmed(entry, report.activated);
    for (const token of report.deactivated) if (isSessionToken(token)) this.#deactivate(entry, token, nowMs);
    this.#activate(entry, report.activated);
    entry.sequence = report.sequence;
    this.#unsynced.delete(report.node);
    return "applied";
  }

  /** A heartbeat that names a later report than the last one shows that one was lost. */
  hear(heartbeat: Heartbeat): void {
    const entry = this.#nodes.get(heartbeat.node);
    if (entry?.node.incarnation !== heartbeat.incarnation) return;
    if (heartbeat.reportSequence > entry.sequence) this.#unsynced.add(heartbeat.node);
  }

  #clearConfirmed(entry: NodeEntry, activated: readonly Activation[]): void {
    const stay = new Set(activated.map(sessionToken));
    for (const token of this.#tokensOn(entry)) {
      if (this.#sessions.get(token)?.isConfirmed === true && !stay.has(token)) this.#sleep(entry, token);
    }
  }

  /**
   * The higher epoch is the later claim: a late report of the owner before changes nothing. All that the
   * report changes leaves the books before any of it comes back: sessions of one report may have changed
   * devices among each other.
   */
  #activate(entry: NodeEntry, activations: readonly Activation[]): void {
    const news = new Map<SessionToken, { readonly activation: Activation; readonly request: PoolRequest }>();
    for (const activation of activations) {
      const token = sessionToken(activation);
      const known = this.#sessions.get(token);
      const epoch = news.get(token)?.activation.epoch ?? (known?.isConfirmed === true ? known.epoch : 0n);
      if (epoch > activation.epoch) continue;
      this.#warm.delete(token);
      if (known?.node === entry.node.id && this.#holds(known, activation.devices)) {
        this.#tentative.delete(token);
        const { node, placed } = known;
        this.#sessions.set(token, {
          node,
          isConfirmed: true,
          epoch: activation.epoch,
          placed,
          ...nameOfHolder(activation, placed),
        });
        continue;
      }
      const kept = known?.node === entry.node.id ? known.placed.request : news.get(token)?.request;
      news.set(token, { activation, request: kept ?? this.#requestOf(activation, token) });
      this.#forget(token, false);
    }
    for (const [token, { activation, request }] of news) {
      const placed = this.#roomFor(entry, request, activation.devices);
      const { epoch } = activation;
      this.#remember(token, {
        node: entry.node.id,
        isConfirmed: true,
        epoch,
        placed,
        ...nameOfHolder(activation, placed),
      });
    }
  }

  #holds({ placed }: Entry, reported: readonly DeviceShare[]): boolean {
    const devices = this.#pool.devicesOf(placed);
    const isSame = (a: DeviceShare, b: DeviceShare | undefined): boolean =>
      a.uuid === b?.uuid && a.whole === b.whole && a.milli === b.milli && a.memoryMib === b.memoryMib;
    return devices.length === reported.length && devices.every((one, i) => isSame(one, reported[i]));
  }

  /** What the node says counts: a placement that nobody confirmed gives way, and is decided anew. */
  #roomFor(entry: NodeEntry, request: PoolRequest, shares: readonly DeviceShare[]): Placed {
    const held = heldOn(this.#pool, entry.slot, { request, shares });
    for (const { request: other } of inTheWayOf(this.#pool, held)) {
      const { session } = other;
      if (this.#refusals.drop(session)) continue;
      if (isSessionToken(session) && this.#sessions.get(session)?.isConfirmed === false)
        this.#forget(session);
    }
    return cutToFit(this.#pool, held);
  }

  /** A node that gives up what it never had has refused it. */
  #deactivate(entry: NodeEntry, token: SessionToken, nowMs: number): void {
    const known = this.#sessions.get(token);
    if (known?.node !== entry.node.id) return;
    if (known.isConfirmed) {
      this.#sleep(entry, token);
    } else {
      this.#forget(token);
      this.#refusals.add(known.placed, nowMs);
    }
  }

  #sleep({ node }: NodeEntry, token: SessionToken): void {
    this.#forget(token);
    this.#warm.set(token, node.id);
  }

  #tokensOn({ slot }: NodeEntry): SessionToken[] {
    return Array.from(this.#pool.sessionsOn(slot), ({ request }) => request.session).filter(isSessionToken);
  }

  /** `false`: there is no room for one more entry. */
  #remember(token: SessionToken, entry: Entry, isNew = false): boolean {
    if (this.#sessions.size >= directorySessionsMax) return false;
    this.#sessions.set(token, entry);
    if (isNew) this.#pool.bookNew(entry.placed);
    else this.#pool.book(entry.placed);
    return true;
  }

  /** `isGone`: it left, and is not just booked anew. */
  #forget(token: SessionToken, isGone = true): void {
    const known = this.#sessions.get(token);
    if (known === undefined) return;
    this.#sessions.delete(token);
    this.#tentative.delete(token);
    if (isGone) this.#pool.unbookGone(known.placed);
    else this.#pool.unbook(known.placed);
  }
}

function nameOfHolder(
  { namespace, agent, key }: Activation,
  { mask }: Placed,
): { readonly name?: SessionName } {
  return mask === 0 ? {} : { name: { namespace, agent, key } };
}

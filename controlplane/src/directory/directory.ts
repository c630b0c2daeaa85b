// Which node hosts which session, and what each node has left. In memory only: rebuilt from the nodes' reports.
import type { Activation, Heartbeat, Report } from "@voda/proto/node";
import { isSessionToken, type SessionName, type SessionToken, sessionToken } from "@voda/proto/session";
import {
  type Allocation,
  allocate,
  costOf,
  type DeviceShare,
  emptyNode,
  type GpuDevice,
  type NodeSnapshot,
  type Plan,
  type Resources,
  release,
  type Snapshot,
} from "../placement/index.ts";
import { fittingShares } from "./reported-devices.ts";

export interface DirectoryNode {
  readonly id: string;
  readonly incarnation: string;
  /** `ip:port`. */
  readonly ingress: string;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly diskMib: number;
  readonly gpus: readonly GpuDevice[];
  /** Empty for a node that names none. */
  readonly zone: string;
}

export interface Owner {
  readonly node: string;
  /** Whether the node itself said so; else it was only sent there. */
  readonly isConfirmed: boolean;
  /** 0 until confirmed. */
  readonly epoch: bigint;
  readonly allocation: Allocation;
}

interface Entry extends Owner {
  readonly expiresMs: number;
}

interface NodeEntry {
  node: DirectoryNode;
  books: NodeSnapshot;
  /** Number of the last report that was applied. */
  sequence: bigint;
  /** Until a full report, what the node has is not known for sure. */
  isSynced: boolean;
  readonly sessions: Set<SessionToken>;
}

/** What a session takes of its node. */
export interface Booking {
  readonly token: SessionToken;
  readonly node: string;
  readonly allocation: Allocation;
}

/** Hears of every change of the books, at once. */
export interface BookObserver {
  readonly booked: (booking: Booking) => void;
  /** `isGone`: it left, and is not just booked anew. */
  readonly released: (token: SessionToken, isGone: boolean) => void;
  readonly ready: (node: string, isReady: boolean) => void;
  /** Nodes came, went or changed: everything is to be read anew. */
  readonly nodesChanged: () => void;
}

/** A placement that no report confirms is forgotten after this. */
export const tentativeMs = 10_000;
/** Entries; beyond it sessions are still placed, but not remembered until a report finds room. */
export const directorySessionsMax = 1_000_000;

export interface DirectoryOptions {
  /** What a session of this agent takes; nothing for an agent that is not known. */
  readonly resourcesOf: (namespace: string, agent: string) => Resources;
  readonly sessionsMax?: number;
}

export class Directory {
  readonly #resourcesOf: DirectoryOptions["resourcesOf"];
  readonly #sessionsMax: number;
  readonly #nodes = new Map<string, NodeEntry>();
  readonly #sessions = new Map<SessionToken, Entry>();
  /** Tentative entries, the oldest first: all live equally long. */
  readonly #tentative = new Map<SessionToken, number>();

  #observer: BookObserver | undefined;

  constructor(options: DirectoryOptions) {
    this.#resourcesOf = options.resourcesOf;
    this.#sessionsMax = options.sessionsMax ?? directorySessionsMax;
  }

  observe(observer: BookObserver): void {
    this.#observer = observer;
  }

  /** A node in a new life: nothing is in its memory, and its first report is awaited. */
  join(node: DirectoryNode): void {
    this.drop(node.id);
    this.#nodes.set(node.id, { node, books: emptyNode(node), sequence: 0n, isSynced: false, sessions: new Set() });
    this.#observer?.nodesChanged();
  }

  /** A node under a new lease with its sessions still in memory. */
  rejoin(node: DirectoryNode): void {
    const entry = this.#nodes.get(node.id);
    if (entry === undefined) return this.join(node);
    entry.node = node;
    entry.sequence = 0n;
    entry.isSynced = false;
  }

  drop(id: string): void {
    const entry = this.#nodes.get(id);
    for (const token of entry?.sessions ?? []) this.#forget(token);
    if (this.#nodes.delete(id)) this.#observer?.nodesChanged();
  }

  setReady(id: string, ready: boolean): void {
    const entry = this.#nodes.get(id);
    if (entry === undefined || entry.books.ready === ready) return;
    entry.books = { ...entry.books, ready };
    this.#observer?.ready(id, ready);
  }

  node(id: string): DirectoryNode | undefined {
    return this.#nodes.get(id)?.node;
  }

  /** By id. */
  nodes(): { readonly node: DirectoryNode; readonly books: NodeSnapshot }[] {
    return [...this.#nodes.values()].toSorted((a, b) => (a.node.id < b.node.id ? -1 : 1));
  }

  get nodeCount(): number {
    return this.#nodes.size;
  }

  booksOf(id: string): NodeSnapshot | undefined {
    return this.#nodes.get(id)?.books;
  }

  *bookings(): Iterable<Booking> {
    for (const [token, { node, allocation }] of this.#sessions) yield { token, node, allocation };
  }

  snapshot(): Snapshot {
    return { nodes: Array.from(this.#nodes.values(), (entry) => entry.books) };
  }

  /** Nodes that must be asked for a full report. */
  unsynced(): string[] {
    return [...this.#nodes.values()].filter((entry) => !entry.isSynced).map((entry) => entry.node.id);
  }

  get size(): number {
    return this.#sessions.size;
  }

  ownerOf(token: SessionToken, nowMs: number): Owner | undefined {
    const entry = this.#sessions.get(token);
    return entry === undefined || entry.isConfirmed || entry.expiresMs > nowMs ? entry : undefined;
  }

  /** Remembers where a session was sent, until a report confirms it or `tentativeMs` have passed. */
  reserve(token: SessionToken, plan: Plan, nowMs: number): void {
    this.expire(nowMs);
    this.#forget(token);
    this.#remember(token, plan.node, plan.allocation, { isConfirmed: false, epoch: 0n, expiresMs: nowMs + tentativeMs });
  }

  /** Frees what tentative placements held that nobody confirmed. */
  expire(nowMs: number): void {
    for (const [token, expiresMs] of this.#tentative) {
      if (expiresMs > nowMs) return;
      this.#forget(token);
    }
  }

  /** `gap`: a report was lost, or the node is not known in this life; it must be asked for a full one. */
  apply(report: Report): "applied" | "known" | "gap" {
    const entry = this.#nodes.get(report.node);
    if (entry === undefined || entry.node.incarnation !== report.incarnation) return "gap";
    if (report.sequence <= entry.sequence) return "known";
    if (!report.full && (report.sequence !== entry.sequence + 1n || !entry.isSynced)) {
      entry.isSynced = false;
      return "gap";
    }
    if (report.full) this.#clearConfirmed(entry, report.activated);
    for (const token of report.deactivated) if (isSessionToken(token)) this.#deactivate(entry, token);
    this.#activate(entry, report.activated);
    entry.sequence = report.sequence;
    entry.isSynced = true;
    return "applied";
  }

  /** A heartbeat that names a later report than the last one shows that one was lost. */
  hear(heartbeat: Heartbeat): void {
    const entry = this.#nodes.get(heartbeat.node);
    if (entry?.node.incarnation !== heartbeat.incarnation) return;
    if (heartbeat.reportSequence > entry.sequence) entry.isSynced = false;
  }

  #clearConfirmed(entry: NodeEntry, activated: readonly Activation[]): void {
    const stay = new Set(activated.map(sessionToken));
    for (const token of entry.sessions) {
      if (this.#sessions.get(token)?.isConfirmed === true && !stay.has(token)) this.#forget(token);
    }
  }

  /**
   * The higher epoch is the later claim: a late report of the owner before changes nothing. All that the report names leaves the books
   * before any of it comes back: sessions of one report may have changed devices among each other.
   */
  #activate(entry: NodeEntry, activations: readonly Activation[]): void {
    const news = new Map<SessionToken, { readonly activation: Activation; readonly kept: Allocation | undefined }>();
    for (const activation of activations) {
      const token = sessionToken(activation);
      const known = this.#sessions.get(token);
      const epoch = news.get(token)?.activation.epoch ?? (known?.isConfirmed === true ? known.epoch : 0n);
      if (epoch > activation.epoch) continue;
      const kept = known?.node === entry.node.id ? known.allocation : news.get(token)?.kept;
      news.set(token, { activation, kept });
      this.#forget(token, false);
    }
    for (const [token, { activation, kept }] of news) {
      const { cpuMilli, memoryMib } = kept ?? costOf(this.#resources(activation));
      const devices = this.#sharesOf(entry, activation.devices);
      const confirmed = { isConfirmed: true, epoch: activation.epoch, expiresMs: Number.POSITIVE_INFINITY };
      this.#remember(token, entry.node.id, { cpuMilli, memoryMib, devices }, confirmed);
    }
  }

  /** What the node says counts: a placement that nobody confirmed gives way, and is decided anew. */
  #sharesOf(entry: NodeEntry, reported: readonly DeviceShare[]): readonly DeviceShare[] {
    const fitting = fittingShares(entry.books, reported);
    if (fitting.length === reported.length) return fitting;
    const ids = new Set(reported.map(({ uuid }) => uuid));
    for (const token of entry.sessions) {
      const known = this.#sessions.get(token);
      if (known?.isConfirmed === false && known.allocation.devices.some(({ uuid }) => ids.has(uuid))) this.#forget(token);
    }
    return fittingShares(entry.books, reported);
  }

  #deactivate(entry: NodeEntry, token: SessionToken): void {
    if (this.#sessions.get(token)?.node === entry.node.id) this.#forget(token);
  }

  #resources(name: SessionName): Resources {
    return this.#resourcesOf(name.namespace, name.agent);
  }

  #remember(token: SessionToken, node: string, allocation: Allocation, more: Omit<Entry, "node" | "allocation">): void {
    const entry = this.#nodes.get(node);
    if (entry === undefined || this.#sessions.size >= this.#sessionsMax) return;
    this.#sessions.set(token, { node, allocation, ...more });
    entry.sessions.add(token);
    entry.books = allocate(entry.books, allocation);
    this.#observer?.booked({ token, node, allocation });
    if (!more.isConfirmed) this.#tentative.set(token, more.expiresMs);
  }

  #forget(token: SessionToken, isGone = true): void {
    const known = this.#sessions.get(token);
    if (known === undefined) return;
    this.#sessions.delete(token);
    this.#tentative.delete(token);
    this.#observer?.released(token, isGone);
    const entry = this.#nodes.get(known.node);
    if (entry === undefined) return;
    entry.sessions.delete(token);
    entry.books = release(entry.books, known.allocation);
  }
}

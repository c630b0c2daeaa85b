// Feeds the lease machine and the directory from NATS: leases (KV), heartbeats and reports (core subjects).
import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { KV, KvWatchEntry } from "@nats-io/kv";
import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import { watchBucket } from "@voda/net";
import { HeartbeatSchema, ReportSchema, ResyncSchema } from "@voda/proto/node";
import { heartbeatSubject, reportSubject, resyncSubject } from "@voda/proto/wire";
import type { Clock } from "@voda/stdx";
import type { Logger } from "pino";
import {
  isLapsed,
  isReady,
  type LeaseEffect,
  type LeaseEvent,
  type LeaseState,
  noLeases,
  step,
} from "../lease/index.ts";
import type { Directory, DirectoryNode } from "./directory.ts";
import { readLeaseEntry } from "./lease-entry.ts";

/** What Envoy must know of a node. */
export interface NodeEndpoint {
  readonly id: string;
  readonly ingress: string;
  /** It gets no new sessions; those it has go on. */
  readonly draining: boolean;
}

/** What nodes are heard by, and what is kept equal to what they say. */
export interface FollowOptions {
  readonly connection: NatsConnection;
  /** The bucket `voda_nodes`. */
  readonly leases: KV;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly log: Logger;
}

const tickMs = 250;
/** A node that does not answer a resync is asked again after this. */
const resyncMs = 1_000;
/** A start waits this long for the reports of the nodes that are there. */
const settleMsMax = 1_500;

/** Owns the subscriptions, the watch and the tick, until it is disposed of. */
export class NodeFollower implements AsyncDisposable {
  readonly #options: FollowOptions;
  #leases: LeaseState = noLeases;
  /** When each node was asked for a full report. */
  readonly #askedMs = new Map<string, number>();
  /** What Envoy was told last, as text: two lists are compared in one step. */
  #published = "[]";
  #endpoints: readonly NodeEndpoint[] = [];
  #onNodes: ((nodes: readonly NodeEndpoint[]) => void) | undefined;
  #subscriptions: readonly Subscription[] = [];
  #watch: AsyncDisposable | undefined;
  #timer: NodeJS.Timeout | undefined;
  #settled = Promise.withResolvers<void>();

  /** Resolves when the nodes that are there have reported what they host, or `settleMsMax` have passed. */
  static async open(options: FollowOptions): Promise<NodeFollower> {
    const follower = new NodeFollower(options);
    const { connection } = options;
    // before the leases are read: what nodes say meanwhile is heard
    follower.#subscriptions = [
      connection.subscribe(heartbeatSubject("*"), {
        callback: (error, message) => follower.#onHeartbeat(error, message),
      }),
      connection.subscribe(reportSubject("*"), {
        callback: (error, message) => follower.#onReport(error, message),
      }),
    ];
    follower.#watch = await watchBucket(options.leases, (entry) => follower.#onEntry(entry));
    follower.#timer = setInterval(() => follower.#tick(), tickMs);
    await follower.#settle();
    return follower;
  }

  private constructor(options: FollowOptions) {
    this.#options = options;
  }

  /** Tells the nodes that are there, and from now on all of them whenever one changes. */
  onChange(onNodes: (nodes: readonly NodeEndpoint[]) => void): void {
    this.#onNodes = onNodes;
    onNodes(this.#endpoints);
  }

  /** Whether the node may get sessions now. */
  isReady(node: string): boolean {
    return isReady(this.#leases, node, this.#nowMs());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    await this.#watch?.[Symbol.asyncDispose]();
  }

  /** A control plane that starts does not know which sessions are awake: it would place them again. */
  async #settle(): Promise<void> {
    if (this.#options.directory.unsynced().length === 0) return;
    const timeout = setTimeout(() => this.#settled.resolve(), settleMsMax);
    await this.#settled.promise;
    clearTimeout(timeout);
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  /** One bad entry does not end the watch: the other nodes are as good as before. */
  #onEntry(entry: KvWatchEntry): void {
    try {
      const { event, node } = readLeaseEntry(entry, this.#nowMs());
      this.#step(event, node);
    } catch (error) {
      this.#options.log.error({ err: error, key: entry.key }, "a lease is not usable; its node is left out");
    }
  }

  #onHeartbeat(error: Error | null, message: Msg): void {
    const heartbeat = this.#decode(HeartbeatSchema, error, message);
    if (heartbeat === undefined) return;
    const { node, incarnation } = heartbeat;
    this.#step({ type: "heartbeat", node, incarnation, nowMs: this.#nowMs() });
    this.#options.directory.hear(heartbeat);
    this.#askUnsynced();
  }

  #onReport(error: Error | null, message: Msg): void {
    const report = this.#decode(ReportSchema, error, message);
    if (report === undefined) return;
    const outcome = this.#options.directory.apply(report, this.#nowMs());
    // a report was lost: only a full one says what is there now
    if (outcome === "gap") this.#askUnsynced();
    if (this.#options.directory.unsynced().length === 0) this.#settled.resolve();
  }

  /** Whoever is on NATS can publish to these subjects: what cannot be read is left out and logged. */
  #decode<Desc extends DescMessage>(
    schema: Desc,
    error: Error | null,
    message: Msg,
  ): MessageShape<Desc> | undefined {
    try {
      if (error !== null) throw error;
      return fromBinary(schema, message.data);
    } catch (cause) {
      this.#options.log.error(
        { err: cause, subject: message.subject },
        "a message of a node is not readable; it is left out",
      );
      return undefined;
    }
  }

  #tick(): void {
    const nowMs = this.#nowMs();
    this.#step({ type: "tick", nowMs });
    this.#options.directory.expire(nowMs);
    this.#askUnsynced();
    this.#publish();
  }

  /** `described`: what the lease of the event says of its node. */
  #step(event: LeaseEvent, described?: DirectoryNode): void {
    const next = step(this.#leases, event);
    this.#leases = next.state;
    for (const effect of next.effects) this.#apply(effect, described);
    if (next.effects.length > 0) this.#publish();
  }

  #apply(effect: LeaseEffect, described: DirectoryNode | undefined): void {
    const { directory, log } = this.#options;
    if (effect.type === "held") {
      log.warn(
        { leases: effect.leases },
        "many leases ended at once; nobody is given up by silence for a while",
      );
      return;
    }
    log.info({ node: effect.node, incarnation: effect.incarnation }, `node ${effect.type}`);
    if (effect.type === "lost") {
      directory.drop(effect.node);
      this.#askedMs.delete(effect.node);
    } else if (effect.type !== "lapsed" && described !== undefined) {
      if (effect.type === "joined") directory.join(described);
      else directory.rejoin(described);
      this.#askedMs.delete(effect.node);
      this.#askUnsynced();
    }
  }

  /** Asks for full reports, each node at most once in `resyncMs`. */
  #askUnsynced(): void {
    const nowMs = this.#nowMs();
    for (const node of this.#options.directory.unsynced()) {
      // a node that is slow to answer is not asked again by every heartbeat of the others
      if (nowMs - (this.#askedMs.get(node) ?? Number.NEGATIVE_INFINITY) < resyncMs) continue;
      this.#askedMs.set(node, nowMs);
      this.#options.connection.publish(resyncSubject, toBinary(ResyncSchema, create(ResyncSchema, { node })));
    }
  }

  /** Sets who may get sessions, and tells `onNodes` when something changed. */
  #publish(): void {
    const { directory } = this.#options;
    const nodes = directory.nodes();
    const ready = new Set(nodes.flatMap(({ id }) => (this.isReady(id) ? [id] : [])));
    const endpoints: NodeEndpoint[] = [];
    for (const { id, ingress } of nodes) {
      // Whose lease has ended has no sessions: hints to it are passed over too. The only node stays, since
      // nobody else could be asked.
      const lapsed = ready.size > 0 && isLapsed(this.#leases, id, this.#nowMs());
      directory.setReady(id, ready.has(id));
      directory.setLapsed(id, lapsed);
      if (!lapsed) endpoints.push({ id, ingress, draining: !ready.has(id) });
    }
    const text = JSON.stringify(endpoints);
    // each heartbeat of each node leads here: Envoy hears only of what has changed
    if (text === this.#published) return;
    this.#published = text;
    this.#endpoints = endpoints;
    this.#onNodes?.(endpoints);
  }
}

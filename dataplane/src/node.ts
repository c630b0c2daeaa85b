// One node: opens its parts in the order in which they need each other, closes them in the reverse one.
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { CapacitySchema } from "@voda/proto/node";
import { type Clock, systemClock } from "@voda/stdx";
import type { Logger } from "pino";
import { type Bus, openBus } from "./bus/index.ts";
import { createNumbers, fail, type Submit } from "./call/index.ts";
import { openCommit } from "./commit/index.ts";
import type { Config } from "./config.ts";
import {
  carryOut,
  createAdmission,
  createDeviceBooks,
  discoverDevices,
  openBundles,
  openGrants,
  openReports,
  openTrials,
  type Reports,
  watchDeployments,
} from "./controls/index.ts";
import { freeDiskBytes, freeDiskMib } from "./free-disk.ts";
import { type Host, Inbox, openBellRounds, openHost } from "./host/index.ts";
import {
  createEdgeProof,
  createRoutes,
  type EdgeProof,
  type Ingress,
  type IngressOptions,
  openIngress,
} from "./ingress/index.ts";
import { type LaneEvent, tombstoneMs } from "./lane/index.ts";
import { type Membership, openIdentity, openMembership } from "./membership/index.ts";
import { type Connection, openConnection, openRequests } from "./nats/index.ts";
import type { Reactor } from "./reactor/index.ts";
import {
  type AsleepTrims,
  openAsleepTrims,
  openBells,
  openMarks,
  openNames,
  openStore,
  openStoreRoom,
  openStreams,
  type Streams,
} from "./store/index.ts";
import { heapMibMax, openWorkers, type Workers } from "./threads/index.ts";

/** The mark of a session that ended outlives its tombstone by this. */
const markAfterSeconds = 24 * 60 * 60;
/** How long a stop waits for sessions to be put to sleep. */
export const drainMsMax = 4_000;

/** Serves until it is disposed of, which puts its sessions to sleep first, as far as `drainMsMax` lets it. */
export interface Node extends AsyncDisposable {
  readonly ingress: string;
  readonly incarnation: string;
}

interface Basics {
  readonly config: Config;
  readonly node: string;
  readonly log: Logger;
  readonly clock: Clock;
  /** Of calls, activations, records and reads. */
  readonly numbers: () => number;
  /** Closes what was opened, in the reverse order. */
  readonly parts: AsyncDisposableStack;
}

/**
 * The port is bound once all that takes long is done, and whoever connects before the end is answered after
 * it.
 */
export async function openNode(config: Config, log: Logger): Promise<Node> {
  await using parts = new AsyncDisposableStack();
  const node = config.nodeId;
  const numbers = createNumbers();
  const basics: Basics = { config, node, log, clock: systemClock, numbers, parts };
  const inbox = new Inbox({ numbers, refusal: fail("closed", `node ${node} does not serve yet; retry`) });
  const ready = Promise.withResolvers<Submit>();
  const routes = createRoutes();

  // First of all: a second process of the same data directory is refused before anybody hears of it.
  const identity = parts.use(openIdentity(config.dataDir));
  const stored = await openStored(basics);
  const { connection } = stored;
  const machine = await findMachine(basics);
  const workers = await openDeployed(basics, connection, inbox, routes);
  const edge = createEdgeProof();
  const ingress = await openPort(basics, { edge, routes, ready: ready.promise });
  const hint = `${config.host}:${ingress.port}`;
  const lease = { ...stored, clock: systemClock, identity, node, ingress: hint, zone: config.zone ?? "" };
  // After the port: the lease tells where it is.
  const membership = parts.use(await openMembership({ ...lease, capacity: machine.capacity, log }));
  const asleep = parts.use(openTrims(basics, stored, membership));
  const mesh = await openMesh(basics, { connection, membership, inbox, edge });
  const { reactor, world } = parts.use(
    openHost({
      ...basics,
      ...stored,
      commit: stored.records,
      asleep,
      ...mesh,
      ...machine,
      inbox,
      membership,
      workers,
      hint,
      isSynced: config.durability !== "process",
      isConnected: () => stored.streams.isThere(),
    }),
  );
  const dispatchAll = (event: LaneEvent): void => reactor.dispatchAll(event);
  parts.defer(watchStreams(stored.streams, reactor, log));
  parts.defer(watchLeases(membership, mesh, dispatchAll));
  // After the host: what a round finds is ordered at once, and closed before it: what is ordered then would
  // find a reactor that refuses.
  parts.use(openRounds(basics, stored, { membership, inbox, reactor, world }));
  mesh.reports.full();
  ready.resolve(reactor.submit);

  const opened = parts.move();
  return {
    ingress: hint,
    get incarnation() {
      return membership.incarnation();
    },
    async [Symbol.asyncDispose]() {
      // While everything is still open: sessions that go to sleep write their last record.
      await Promise.race([reactor.drain(), delay(drainMsMax, undefined, { ref: false })]);
      await opened.disposeAsync();
    },
  };
}

/** The port for callers, which hands on what came before once it is `ready`. */
async function openPort(
  { config, clock, numbers, log, parts }: Basics,
  given: Pick<IngressOptions, "edge" | "routes" | "ready">,
): Promise<Ingress> {
  return parts.use(
    await openIngress({
      ...given,
      host: config.host,
      port: config.ingressPort,
      allowHosts: config.allowHost,
      allowOrigins: config.allowOrigin,
      numbers,
      clock,
      log,
    }),
  );
}

/** Everything here lies on the connection to NATS. */
async function openStored({ config, node, clock, log, parts }: Basics) {
  const connection = parts.use(
    await openConnection({ url: config.nats, login: config.natsLogin, name: `voda node ${node}` }),
  );
  const requests = parts.use(openRequests(connection, clock));
  const replicas = config.durability === "replicated" ? 3 : 1;
  const streams = parts.use(await openStreams({ requests, replicas, log }));
  const commit = parts.use(openCommit(connection, clock));
  const room = parts.use(
    openStoreRoom({
      requests,
      limitFile: config.storeLimitFile,
      freeBytes: freeDiskBytes,
      onFull: (words) => log.error({}, `the store is full: ${words}`),
      onFailed: (err) => log.warn({ err }, "how much room the store has is unknown; it is looked at again"),
    }),
  );
  /** For everything but leases and marks. */
  const records = room.guard(commit);
  const store = openStore(requests, records);
  const bells = openBells(requests);
  const marks = parts.use(
    openMarks({
      requests,
      commit,
      clock,
      goneSeconds: tombstoneMs / 1000 + markAfterSeconds,
      onFailed: (err) => log.warn({ err }, "marks are not stored; they are tried again"),
    }),
  );
  const names = parts.use(
    openNames({
      store,
      failed: (err, name, isLast) =>
        log.warn(
          { err, session: name },
          `the session is missing in lists ${isLast ? "until a node takes it over" : "until the store takes its name"}`,
        ),
    }),
  );
  return { connection, requests, streams, commit, records, store, marks, bells, names };
}

/** Each living node has those sessions deliver that nobody has in memory. */
function openRounds(
  { clock, log }: Basics,
  { bells, connection }: Pick<Awaited<ReturnType<typeof openStored>>, "bells" | "connection">,
  {
    membership,
    inbox,
    reactor,
    world,
  }: Pick<Meshed, "membership" | "inbox"> & Pick<Host, "reactor" | "world">,
): AsyncDisposable {
  const failed = (err: unknown): void =>
    log.warn({ err }, "sessions that have sent something are not looked for; it is tried again");
  return openBellRounds({
    bells,
    inbox,
    incarnation: () => membership.incarnation(),
    standing: (incarnation) => world.standing(incarnation),
    isHere: (token) => reactor.isHere(token),
    rank: () => rankOf(membership),
    isConnected: () => connection.isUp(),
    monotonicMs: () => clock.monotonicMs(),
    storeMs: () => membership.storeMs(clock.monotonicMs()),
    failed,
  });
}

/** Each living node trims its part of the sessions that sleep. */
function openTrims(
  { clock, log }: Basics,
  { requests, store }: Pick<Awaited<ReturnType<typeof openStored>>, "requests" | "store">,
  membership: Membership,
): AsleepTrims {
  return openAsleepTrims({
    requests,
    store,
    storeMs: () => membership.storeMs(clock.monotonicMs()),
    rank: () => rankOf(membership),
    failed: (err, token) => log.warn({ err, token }, "the log of a sleeping session stays for now"),
  });
}

/** Each living node does its part of what all could do. */
function rankOf(membership: Membership): { readonly index: number; readonly count: number } | undefined {
  // By incarnation, which all nodes read alike; while their lists differ a part is done twice, or later.
  const living = membership.members().map(({ incarnation }) => incarnation);
  const index = living.sort().indexOf(membership.incarnation());
  return index < 0 ? undefined : { index, count: living.length };
}

/** What this machine has, and the books over it. */
async function findMachine({ config, log }: Basics) {
  const devices = await discoverDevices({ file: config.gpus, part: config.gpuPart, log });
  const capacity = create(CapacitySchema, {
    cpuMilli: config.cpuMilli,
    memoryMib: config.memoryMib,
    diskMib: config.diskMib ?? (await freeDiskMib(config.dataDir)),
    gpus: devices.map(({ uuid, model, memoryMib }) => ({ uuid, model, memoryMib })),
  });
  return { devices, capacity, admission: createAdmission(capacity, createDeviceBooks(devices)) };
}

/**
 * Resolves when all that is deployed is loaded: a call for an agent that is not found then is refused for
 * good.
 */
async function openDeployed(
  { config, node, log, parts }: Basics,
  connection: Connection,
  inbox: Inbox,
  routes: ReturnType<typeof createRoutes>,
): Promise<Workers> {
  const workers = parts.use(
    openWorkers({
      log,
      node: config.nodeId,
      onLost: (loss) => inbox.workerLost(loss),
      onRetire: (activations) => inbox.retire(activations),
      holdLimit: (call) => inbox.holdLimit(call),
      heapMib: Math.min(heapMibMax, config.memoryMib),
    }),
  );
  const bundles = await openBundles(connection.nats, join(config.dataDir, "bundles"));
  parts.use(
    await watchDeployments({
      connection: connection.nats,
      bundles,
      folder: join(config.dataDir, "deployed"),
      log,
      async onDeployed(agent, bundle) {
        await workers.deploy(agent, bundle);
        routes.set(agent);
      },
      onUnloadable(agent, why) {
        // With a route its callers hear why; without one they would hear that there is no such agent.
        workers.refuse(agent, why);
        routes.set(agent);
      },
      onUndeployed(namespace, name) {
        routes.remove(namespace, name);
        workers.undeploy(namespace, name);
      },
    }),
  );
  parts.use(
    openTrials({
      connection: connection.nats,
      node,
      bundles,
      log,
      onTrial: (agents, bundle) => workers.rehearse(agents, bundle),
      onPublished: (agents) => workers.running(agents),
    }),
  );
  return workers;
}

interface Meshed {
  readonly connection: Connection;
  readonly membership: Membership;
  readonly inbox: Inbox;
  readonly edge: EdgeProof;
}

/** The talk with other nodes and with the control plane. */
async function openMesh(
  { node, log, clock, numbers, parts }: Basics,
  { connection, membership, inbox, edge }: Meshed,
) {
  const incarnation = (): string => membership.incarnation();
  /** What other machines say of time is compared with the time that all nodes share. */
  const storeMs = (): number => membership.storeMs(clock.monotonicMs());
  const grants = parts.use(
    await openGrants({
      connection: connection.nats,
      node,
      incarnation,
      storeMs,
      log,
      onEdgeSecret: (secret) => edge.set(secret),
    }),
  );
  const bus = parts.use(
    openBus({
      connection,
      node,
      clock,
      numbers,
      // Once its lease has ended nothing is for this life any more: who waits must ask elsewhere.
      life: () => (membership.leaseLeftMs() > 0 ? incarnation() : undefined),
      onCall: inbox.submit,
      onMalformed: (err) => log.warn({ err }, "a message between nodes is malformed; it is dropped"),
    }),
  );
  const reports = parts.use(
    openReports({
      connection: connection.nats,
      node,
      incarnation,
      log,
      owned: () => inbox.owned,
      onCommand: (command) =>
        carryOut({ sessions: inbox, monotonicMs: () => clock.monotonicMs(), storeMs }, command),
    }),
  );
  return { grants, bus, reports };
}

/** A node whose lease lapsed and that came back is the same process: what it was asked it still does. */
function watchLeases(
  membership: Membership,
  { bus, reports }: { readonly bus: Bus; readonly reports: Reports },
  dispatchAll: (event: LaneEvent) => void,
): () => void {
  return membership.onEvent((event) => {
    bus.peersLost((peer) => membership.ended(peer) === "yes" && membership.successor(peer) === undefined);
    dispatchAll({ type: "leases" });
    if (event.type === "lapsed") reports.full();
  });
}

/** What callers are told when log and marks are gone. */
const storeLost =
  "the store has lost its log and its marks: what a session was cannot be told from one that never was; " +
  "put the store back and start the mesh again, or start it again without, to go on with an empty store";

/** Every lane hears of a lost connection before anything else happens on the next one. */
function watchStreams(streams: Streams, reactor: Reactor, log: Logger): () => void {
  return streams.onEvent(({ type }) => {
    if (type === "replaced") {
      log.fatal({}, storeLost);
      reactor.refuseAll(fail("data_loss", storeLost));
    } else {
      reactor.dispatchAll({ type: "connection", up: type === "there" });
    }
  });
}

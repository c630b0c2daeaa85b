// One node: opens its parts in the order in which they need each other, closes them in the reverse one.
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { CapacitySchema } from "@voda/proto/node";
import { systemClock } from "@voda/stdx";
import type { Logger } from "pino";
import { openBus } from "./bus/index.ts";
import { createNumbers, fail } from "./call/index.ts";
import { openCommit } from "./commit/index.ts";
import type { NodeConfig } from "./config.ts";
import {
  createAdmission,
  createDeviceBooks,
  discoverDevices,
  obey,
  openBundles,
  openGrants,
  openReports,
  openTrials,
  refused,
  watchDeployments,
} from "./controls/index.ts";
import { freeDiskMib } from "./free-disk.ts";
import { Sessions } from "./host/index.ts";
import { createEdgeProof, createRoutes, enter, openIngress } from "./ingress/index.ts";
import { openIdentity, openMembership } from "./membership/index.ts";
import { type Connection, openConnection, openRequests } from "./nats/index.ts";
import { createAsleepTrims, createStreams, openStore } from "./store/index.ts";
import { heapMibMax, openWorkers } from "./threads/index.ts";

/** How long a stop waits for sessions to be put to sleep. */
export const drainMsMax = 4_000;

export interface Node extends AsyncDisposable {
  readonly ingress: string;
  readonly incarnation: string;
}

export async function openNode(config: NodeConfig, log: Logger): Promise<Node> {
  await using parts = new AsyncDisposableStack();
  const clock = systemClock;
  const node = config["node-id"];
  const identity = parts.use(openIdentity(config["data-dir"]));
  const connection = parts.use(
    await openConnection({ url: config.nats, login: config["nats-login"], name: `voda node ${node}` }),
  );
  const requests = parts.use(openRequests(connection, clock));
  await createStreams(requests, config.durability === "replicated" ? 3 : 1);
  const commit = parts.use(openCommit(connection, clock));
  const store = openStore(requests, commit);
  const asleep = parts.use(
    createAsleepTrims(store, clock, (err, { token }) =>
      log.warn({ err, token }, "the log of a sleeping session stays"),
    ),
  );
  const numbers = createNumbers();
  const routes = createRoutes();
  let sessions: Sessions | undefined;
  /** From when everything is open until the node closes; calls that come outside of it are refused. */
  let isAccepting = false;
  const notReady = fail("closed", `node ${node} is not ready; retry`);

  const edge = createEdgeProof();
  const ingress = await openIngress({
    host: config.host,
    port: config["ingress-port"],
    edge,
    allowHosts: config["allow-host"],
    allowOrigins: config["allow-origin"],
    // Until all that is deployed is known, an agent that is not found may well be there.
    routes: {
      plain: (...asked) => (isAccepting ? routes.plain(...asked) : notReady),
      rpc: (...asked) => (isAccepting ? routes.rpc(...asked) : notReady),
    },
    numbers,
    clock,
    log,
    dispatch(call, reply) {
      if (isAccepting && sessions !== undefined) return enter({ grants, sessions }, call, reply);
      reply(notReady, {});
      return () => undefined;
    },
  });
  parts.defer(() => ingress.close());
  const hint = `${config.host}:${ingress.port}`;
  const devices = await discoverDevices({ file: config.gpus, part: config["gpu-part"], log });
  const gpus = devices.map(({ uuid, model, memoryMib }) => ({ uuid, model, memoryMib }));
  const diskMib = config["disk-mib"] ?? (await freeDiskMib(config["data-dir"]));
  const capacity = create(CapacitySchema, {
    cpuMilli: config["cpu-milli"],
    memoryMib: config["memory-mib"],
    diskMib,
    gpus,
  });
  const workers = parts.use(
    openWorkers({
      log,
      onMessage: (message) => sessions?.fromWorker(message),
      onLost: (loss) => sessions?.workerLost(loss),
      onRetire: async (activations) => sessions?.retire(activations),
      isOverdue: (call) => sessions?.isOverdue(call),
      heapMib: Math.min(heapMibMax, config["memory-mib"]),
    }),
  );
  const bundles = await openBundles(connection.nats, join(config["data-dir"], "bundles"));
  parts.use(
    await watchDeployments({
      connection: connection.nats,
      bundles,
      folder: join(config["data-dir"], "deployed"),
      log,
      async onDeployed(agent, bundle) {
        await workers.deploy(agent, bundle);
        routes.set(agent);
      },
      onUnloadable(agent, why) {
        workers.refuse(agent, why);
        routes.set(agent);
      },
      onUndeployed: (namespace, name) => routes.remove(namespace, name),
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
  const membership = parts.use(
    await openMembership({
      requests,
      commit,
      clock,
      identity,
      node,
      ingress: hint,
      zone: config.zone ?? "",
      capacity,
    }),
  );
  const grants = parts.use(
    await openGrants({
      connection: connection.nats,
      node,
      incarnation: () => membership.incarnation(),
      clock,
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
      life: () => (membership.leaseLeftMs() > 0 ? membership.incarnation() : undefined),
      onCall: (call, reply) => {
        if (isAccepting && sessions !== undefined) return sessions.enter(call, reply);
        reply(notReady, {});
        return () => undefined;
      },
      onMalformed: (err) => log.warn({ err }, "a message between nodes is malformed; it is dropped"),
    }),
  );
  const reports = parts.use(
    openReports({
      connection: connection.nats,
      node,
      incarnation: () => membership.incarnation(),
      log,
      activations: () => sessions?.owned() ?? [],
      sessions: () => sessions?.ownedCount ?? 0,
      onCommand: async (command) =>
        isAccepting && sessions !== undefined
          ? obey({ grants, sessions, clock }, command)
          : refused(notReady),
    }),
  );
  const ready = parts.use(
    new Sessions({
      commit,
      store,
      asleep,
      membership,
      bus,
      workers,
      reports,
      admission: createAdmission(capacity, createDeviceBooks(devices)),
      devices,
      clock,
      numbers,
      log,
      hint,
      isSynced: config.durability !== "process",
      isConnected: () => connection.isUp(),
    }),
  );
  sessions = ready;
  parts.defer(watchConnection(connection, ready));
  parts.defer(
    membership.onEvent((event) => {
      // A node whose lease lapsed and that came back is the same process: what it was asked it still does.
      bus.peersLost((peer) => membership.ended(peer) === "yes" && membership.successor(peer) === undefined);
      ready.tellAll({ type: "leases" });
      if (event.type === "lapsed") reports.full();
    }),
  );
  reports.full();
  isAccepting = true;

  const opened = parts.move();
  return {
    ingress: hint,
    get incarnation() {
      return membership.incarnation();
    },
    async [Symbol.asyncDispose]() {
      isAccepting = false;
      await Promise.race([ready.drain(), setTimeout(drainMsMax, undefined, { ref: false })]);
      await opened.disposeAsync();
    },
  };
}

/** Every lane hears of a lost connection before anything else happens on the next one. */
function watchConnection(connection: Connection, sessions: Sessions): () => void {
  return connection.onEvent((event) => {
    if (event.type === "disconnected" || event.type === "leader_elected")
      sessions.tellAll({ type: "connection", up: false });
    if (event.type === "reconnected" || event.type === "leader_elected")
      sessions.tellAll({ type: "connection", up: true });
  });
}

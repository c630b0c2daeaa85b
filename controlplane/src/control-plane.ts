// Composition: one control plane on one NATS connection.
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { keepLast, openXdsServer, type Snapshot } from "@voda/envoy";
import { clearSocket, dialNats } from "@voda/net";
import { type EdgePaths, openEdgeFolder } from "@voda/proto/edge-folder";
import { readNatsLogin } from "@voda/proto/nats-login";
import { ensureStreams, lostStream } from "@voda/proto/streams";
import { agentsBucket, blobsBucket, keysBucket, nodesBucket, quotasBucket } from "@voda/proto/wire";
import { systemClock } from "@voda/stdx";
import type { Logger } from "pino";
import { Agents } from "./agents/agents.ts";
import { watchAgents } from "./agents/watch-agents.ts";
import { openApi } from "./api/server.ts";
import { sweepingBlobs } from "./api/sweep-blobs.ts";
import type { Config } from "./config.ts";
import { Directory } from "./directory/directory.ts";
import { NodeFollower } from "./directory/follow-nodes.ts";
import { edgeSecret } from "./edge/secret.ts";
import { openPicker } from "./envoy-auth/server.ts";
import { publishKey } from "./grant/publish-key.ts";
import { createSigner } from "./grant/sign.ts";
import { Link } from "./nats/link.ts";
import { followStoreTime } from "./nats/store-time.ts";
import { Pool } from "./placement/index.ts";
import { openPublisher, type Publisher } from "./publish/index.ts";
import { QuotaBucket } from "./quotas/quota-bucket.ts";
import { RoomMaker, restingSleeper, Scheduler } from "./scheduler/index.ts";

/** A control plane that serves until it is disposed of, on unix sockets with these paths. */
export interface ControlPlane extends AsyncDisposable {
  readonly api: string;
  readonly picker: string;
  readonly xds: string;
}

interface Source {
  readonly config: Config;
  readonly sockets: EdgePaths;
  readonly secret: string;
  readonly log: Logger;
}

const requestMs = 10_000;
const reconnectMs = 100;
/** A server that answers no ping for this long times 3 (the client's default) is given up: it is frozen. */
const pingIntervalMs = 3_000;

/**
 * Resolves when it serves: streams exist, the grant key is stored, and the nodes that are there have
 * reported.
 */
export async function openControlPlane(config: Config, log: Logger): Promise<ControlPlane> {
  await using stack = new AsyncDisposableStack();
  const sockets = openEdgeFolder(config.edgeDir);
  const connection = await dial(config);
  const link = stack.use(new Link(connection, log));
  const { lost } = await ensureStreams(async (subject, body) => {
    const answer = await connection.request(subject, body, { timeout: requestMs });
    return answer.string();
  }, config.replicas);
  for (const stream of lost) log.error({ stream }, lostStream(stream));
  const js = jetstream(connection);
  const jsm = await jetstreamManager(connection);
  const buckets = new Kvm(js);
  const definitions = await buckets.open(agentsBucket);
  const blobs = await new Objm(js).open(blobsBucket);

  const agents = new Agents();
  stack.use(await watchAgents(definitions, agents, log));
  const pool = new Pool({ policy: config.placementPolicy });
  const quotaBucket = stack.use(
    await QuotaBucket.open({ kv: await buckets.open(quotasBucket), quotas: pool.quotas, log }),
  );
  const signer = createSigner();
  const keys = await buckets.open(keysBucket);
  stack.use(await publishKey({ js, signer, log }));
  const { storeMs } = stack.use(await followStoreTime({ jsm, clock: systemClock, log }));
  const directory = new Directory({ pool, requestOf: (name, token) => agents.requestOf(name, token) });
  const putToSleep = restingSleeper({ commands: { connection, storeMs }, directory, log });
  const rooms = stack.use(new RoomMaker({ clock: systemClock, putToSleep }));
  const scheduler = stack.use(new Scheduler({ agents, directory, pool, clock: systemClock, rooms }));
  const leases = await buckets.open(nodesBucket);
  // Nobody is answered before the nodes are known: a picker that knows none would refuse live sessions.
  const follower = stack.use(
    await NodeFollower.open({ connection, leases, directory, clock: systemClock, log }),
  );
  const secret = await edgeSecret(keys);
  const picks = { agents, directory, scheduler, signer, clock: systemClock, storeMs };
  stack.use(await openPicker(picks, { path: sockets.picker, log }));
  const nodes = (): string[] => directory.nodes().map(({ id }) => id);
  const apiContext = { ...picks, connection, jsm, definitions, blobs, quotaBucket, nodes };
  stack.use(await openApi(apiContext, { path: sockets.api, link, log }));
  stack.use(sweepingBlobs(apiContext, log));
  const publisher = await openSource({ config, sockets, secret, log }, stack);
  follower.onChange((endpoints) => {
    publisher.setNodes(endpoints);
    scheduler.nodesChanged();
  });
  const owned = stack.move();
  return {
    api: sockets.api,
    picker: sockets.picker,
    xds: sockets.xds,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** What Envoy is configured by; the stack closes it. */
async function openSource(
  { config, sockets, secret, log }: Source,
  stack: AsyncDisposableStack,
): Promise<Publisher> {
  await clearSocket(sockets.xds);
  const xds = stack.use(
    await openXdsServer({
      path: sockets.xds,
      onAccepted: (snapshot) => keep(sockets.last, snapshot, log),
      onNack: (nack) => log.error({ nack }, "envoy refused a configuration"),
    }),
  );
  return stack.use(
    openPublisher({
      xds,
      listener: config.listener,
      picker: sockets.picker,
      api: sockets.api,
      edgeSecret: secret,
      allowHosts: config.allowHosts,
      allowOrigins: config.allowOrigins,
      onRefused: (err) => log.error({ err }, "nodes not published; envoy keeps the last ones"),
      onNoNodes: () => log.warn("no node serves any more; calls fail until one is back"),
    }),
  );
}

/** A full disk takes nothing from the proxies that run. */
function keep(folder: string, snapshot: Snapshot, log: Logger): void {
  try {
    keepLast(folder, snapshot);
  } catch (err) {
    log.error({ err, folder }, "what envoy runs with was not kept; it would start with what is there");
  }
}

const dial = ({ nats, natsLogin }: Config): Promise<NatsConnection> =>
  dialNats({
    ...(natsLogin !== undefined && readNatsLogin(natsLogin)),
    url: nats,
    loginFile: natsLogin,
    name: "voda-controlplane",
    maxReconnectAttempts: -1,
    reconnectTimeWait: reconnectMs,
    pingInterval: pingIntervalMs,
  });

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { startEnvoy } from "../../test/src/kit/envoy.ts";
import { leakCheck } from "../../test/src/kit/leaks.ts";
import { waitUntil } from "../../test/src/kit/wait.ts";
import { SnapshotRefusedError } from "./errors.ts";
import { address, any, duration, endpoint, overAds } from "./resource/build.ts";
import {
  type Cluster,
  Cluster_DiscoveryType,
  ClusterLoadAssignmentSchema,
  ClusterSchema,
  HttpConnectionManagerSchema,
  ListenerSchema,
  RouteConfigurationSchema,
  RouterSchema,
} from "./resource/types.ts";
import { type Nack, openXdsServer } from "./server.ts";
import type { Snapshot } from "./snapshot/snapshot.ts";

const loopback = "127.0.0.1";
const folder = mkdtempSync(join(tmpdir(), "voda-xds-"));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, "xds.sock");
const source = { type: "xds", path } as const;

const cluster = (connectMs: number): Cluster =>
  create(ClusterSchema, {
    name: "web",
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: overAds() },
    connectTimeout: duration(connectMs),
  });

function snapshotOf(web: Cluster): Snapshot {
  return {
    clusters: [web],
    assignments: [
      create(ClusterLoadAssignmentSchema, {
        clusterName: "web",
        endpoints: [{ lbEndpoints: [endpoint(loopback, 9)] }],
      }),
    ],
    listeners: [
      create(ListenerSchema, {
        name: "l",
        address: address(loopback, 1),
        bindToPort: false,
        filterChains: [
          {
            filters: [
              {
                name: "envoy.filters.network.http_connection_manager",
                configType: {
                  case: "typedConfig",
                  value: any(HttpConnectionManagerSchema, {
                    statPrefix: "l",
                    routeSpecifier: { case: "rds", value: { routeConfigName: "r", configSource: overAds() } },
                    httpFilters: [
                      {
                        name: "envoy.filters.http.router",
                        configType: { case: "typedConfig", value: any(RouterSchema, {}) },
                      },
                    ],
                  }),
                },
              },
            ],
          },
        ],
      }),
    ],
    routes: [
      create(RouteConfigurationSchema, {
        name: "r",
        virtualHosts: [
          {
            name: "all",
            domains: ["*"],
            routes: [
              {
                match: { pathSpecifier: { case: "prefix", value: "/" } },
                action: { case: "route", value: { clusterSpecifier: { case: "cluster", value: "web" } } },
              },
            ],
          },
        ],
      }),
    ],
  };
}

test("Envoy waits for the first snapshot, takes it, and is warm at once after a changed cluster", async () => {
  const check = leakCheck();
  {
    const accepted: Snapshot[] = [];
    await using xds = await openXdsServer({ path, onAccepted: (one) => accepted.push(one) });
    await using envoy = await startEnvoy({ source, waitForAdminOnly: true });
    await waitUntil(
      async () => (await envoy.stat("control_plane.connected_state")) === 1,
      "Envoy is connected",
    );
    assert.equal(await envoy.isReady(), false);
    xds.publish(snapshotOf(cluster(1_000)));
    await waitUntil(() => envoy.isReady(), "Envoy is ready");
    await waitUntil(() => accepted.length === 1, "Envoy has accepted all");
    const before = await envoy.stat("cluster.web.update_success");
    xds.publish(snapshotOf(cluster(2_000)));
    // Without the endpoints sent again it would be warming for 15 s.
    await waitUntil(() => accepted.length === 2, "Envoy has accepted the change");
    await waitUntil(
      async () => (await envoy.stat("cluster_manager.warming_clusters")) === 0,
      "the cluster is warm",
    );
    assert.equal((await envoy.stat("cluster.web.update_success")) > before, true);
  }
  await check();
});

test("a refused resource is reported once, is not sent again, never counts as accepted, and the next good snapshot is taken", async () => {
  const nacks: Nack[] = [];
  const accepted: Snapshot[] = [];
  await using xds = await openXdsServer({
    path,
    onNack: (nack) => nacks.push(nack),
    onAccepted: (one) => accepted.push(one),
  });
  xds.publish(snapshotOf(cluster(1_000)));
  await using envoy = await startEnvoy({ source });
  await waitUntil(() => accepted.length === 1, "Envoy has accepted all");
  const bad = cluster(-1_000);
  xds.publish(snapshotOf(bad));
  await waitUntil(() => nacks.length > 0, "Envoy refuses");
  xds.publish(snapshotOf(bad));
  xds.publish(snapshotOf(cluster(3_000)));
  await waitUntil(() => accepted.length === 2, "Envoy has accepted the next");
  assert.deepEqual(
    accepted.map(({ clusters }) => clusters[0]?.connectTimeout?.seconds),
    [1n, 3n],
  );
  assert.equal(nacks.length, 1);
  const [nack] = nacks;
  assert.deepEqual([nack?.proxy, nack?.kind, nack?.resources], ["test", "cluster", ["web"]]);
  assert.match(nack?.message ?? "", /Expected positive duration/);
  assert.equal(await envoy.stat("cluster_manager.cds.update_rejected"), 1);
});

test("an inconsistent snapshot is refused before any proxy sees it, and the last one stays", async () => {
  const accepted: Snapshot[] = [];
  await using xds = await openXdsServer({ path, onAccepted: (one) => accepted.push(one) });
  const good = snapshotOf(cluster(1_000));
  xds.publish(good);
  await using envoy = await startEnvoy({ source });
  await waitUntil(() => accepted.length === 1, "Envoy has accepted all");
  const empty = create(ClusterLoadAssignmentSchema, { clusterName: "web" });
  assert.throws(() => xds.publish({ ...good, assignments: [empty] }), SnapshotRefusedError);
  assert.throws(() => xds.publish({ ...good, clusters: [] }), SnapshotRefusedError);
  assert.deepEqual(accepted, [good]);
  assert.equal(await envoy.stat("cluster.web.membership_total"), 1);
});

test("a socket in use is an error that names it", async () => {
  await using _xds = await openXdsServer({ path });
  await assert.rejects(openXdsServer({ path }), new RegExp(`cannot listen on ${path}`));
});

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { HealthStatus, type Snapshot, SnapshotRefusedError } from "@voda/envoy";
import { clusterNames } from "./config.ts";
import { openPublisher, type ReportedNode } from "./publisher.ts";

const node = (id: string, ingress: string, draining = false): ReportedNode => ({ id, ingress, draining });
const one = node("n1", "10.0.0.1:80");
const two = node("n2", "10.0.0.2:80");

/** A publisher whose event loop ticks when the test says so. */
function rig(context: TestContext, publish: (snapshot: Snapshot) => void = () => undefined) {
  context.mock.timers.enable({ apis: ["setImmediate"] });
  const published: Snapshot[] = [];
  const refused: Error[] = [];
  let timesGone = 0;
  const publisher = openPublisher({
    listener: { host: "127.0.0.1", port: 8080 },
    picker: "/run/picker",
    api: "/run/api",
    edgeSecret: "secret",
    allowHosts: [],
    allowOrigins: [],
    xds: {
      publish(snapshot) {
        published.push(snapshot);
        publish(snapshot);
      },
    },
    onRefused: (error) => void refused.push(error),
    onNoNodes: () => void (timesGone += 1),
  });
  return { publisher, published, refused, gone: () => timesGone, tick: () => context.mock.timers.tick(1) };
}

function addressesOf(snapshot: Snapshot | undefined): unknown[] {
  const endpoints = snapshot?.assignments.flatMap((assignment) => assignment.endpoints) ?? [];
  return endpoints.flatMap(({ lbEndpoints }) =>
    lbEndpoints.map(({ hostIdentifier }) => {
      const address = hostIdentifier.case === "endpoint" && hostIdentifier.value.address?.address;
      assert.ok(address && address.case === "socketAddress");
      return [address.value.address, address.value.portSpecifier.value];
    }),
  );
}
const sendsToNodes = (snapshot: Snapshot | undefined): boolean =>
  snapshot?.clusters.some(({ name }) => name === clusterNames.agents) === true;

test("changes of one tick are published as one, the last", (context) => {
  const { publisher, published, tick } = rig(context);
  publisher.setNodes([one]);
  publisher.setNodes([one, two]);
  assert.equal(published.length, 0);
  tick();
  assert.deepEqual(published.map(addressesOf), [
    [
      ["10.0.0.1", 80],
      ["10.0.0.2", 80],
    ],
  ]);
  publisher.setNodes([two]);
  tick();
  assert.deepEqual(addressesOf(published[1]), [["10.0.0.2", 80]]);
});

test("the same nodes are the same assignment, whatever order they are reported in", (context) => {
  const { publisher, published, tick } = rig(context);
  for (const nodes of [
    [one, two],
    [two, one],
  ]) {
    publisher.setNodes(nodes);
    tick();
  }
  assert.deepEqual(published[0]?.assignments, published[1]?.assignments);
});

test("a node that drains gets no new sessions", (context) => {
  const { publisher, published, tick } = rig(context);
  publisher.setNodes([one, { ...two, draining: true }]);
  tick();
  const healths = published[0]?.assignments[0]?.endpoints[0]?.lbEndpoints.map((it) => it.healthStatus);
  assert.deepEqual(healths, [HealthStatus.HEALTHY, HealthStatus.DRAINING]);
});

test("before the first node only the API is there; after the last one it is told, once, and nothing is published", (context) => {
  const { publisher, published, refused, gone, tick } = rig(context);
  for (const nodes of [[], [], [one], [], [], [one], []]) {
    publisher.setNodes(nodes);
    tick();
  }
  assert.deepEqual(published.map(sendsToNodes), [false, false, true, true]);
  assert.deepEqual([gone(), refused.length], [2, 0]);
});

test("nodes of which two have one address are told as refused", (context) => {
  const { publisher, refused, tick } = rig(context, () => {
    throw new SnapshotRefusedError(["twice"]);
  });
  publisher.setNodes([one, two]);
  tick();
  assert.equal(refused.length, 1);
});

test("what else goes wrong when it publishes is not kept quiet", (context) => {
  const { publisher, refused, tick } = rig(context, () => {
    throw new TypeError("a slip");
  });
  publisher.setNodes([one]);
  assert.throws(tick, /a slip/);
  assert.deepEqual(refused, []);
});

test("nothing is published after its end", (context) => {
  const { publisher, published, tick } = rig(context);
  publisher.setNodes([one]);
  publisher[Symbol.dispose]();
  tick();
  assert.equal(published.length, 0);
});

test("the ingress of a node is ip:port, of either family", (context) => {
  const { publisher, published, tick } = rig(context);
  publisher.setNodes([node("a", "[::1]:65535"), node("b", "h:1")]);
  tick();
  assert.deepEqual(addressesOf(published[0]), [
    ["::1", 65_535],
    ["h", 1],
  ]);
  for (const ingress of ["", "h", ":80", "h:", "h:0", "h:65536", "h:8x", "h:-1"])
    assert.throws(
      () => publisher.setNodes([node("n1", ingress)]),
      (error) => error instanceof RangeError && /node n1 reports the ingress/.test(error.message),
      ingress,
    );
});

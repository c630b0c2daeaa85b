import assert from "node:assert/strict";
import { test } from "node:test";
import { type Prng, prng } from "@voda/stdx";
import * as fc from "fast-check";
import { kinds, type ResourceKind } from "../resource/kind.ts";
import type { Sealed, SealedSnapshot } from "../snapshot/snapshot.ts";
import {
  isAccepted,
  nextResponse,
  openStream,
  publish,
  receive,
  type StreamRequest,
  type StreamResponse,
} from "./stream.ts";

const clusterNames = ["c1", "c2", "c3", "c4"];
const noAsk = { subscribe: [], unsubscribe: [], initialVersions: {}, nonce: "", error: undefined };

/**
 * A consistent snapshot; a route's version says which clusters it sends to. @param salt makes all versions
 * new
 */
function snapshotOf(random: Prng, salt: string): SealedSnapshot {
  const clusters = clusterNames.filter(() => random.chance(0.6));
  const version = (): string => `${salt}${random.below(3)}`;
  const sealed = (name: string, stamp: string): [string, Sealed] => [
    name,
    { name, version: stamp, body: new Uint8Array() },
  ];
  const targets = clusters.filter(() => random.chance(0.7));
  return {
    resources: {
      cluster: new Map(clusters.map((name) => sealed(name, version()))),
      assignment: new Map(clusters.map((name) => sealed(name, version()))),
      listener: new Map([sealed("l", salt)]),
      route: new Map([sealed("r", `${version()}>${targets.join(",")}`)]),
    },
    assignmentOf: new Map(clusters.map((name) => [name, name])),
  };
}

/**
 * A proxy that behaves as Envoy does: clusters and listeners by wildcard, assignments and routes by what
 * these name.
 */
class SimProxy {
  readonly have: Record<ResourceKind, Map<string, string>> = {
    cluster: new Map(),
    assignment: new Map(),
    listener: new Map(),
    route: new Map(),
  };
  wanted = { assignment: new Set<string>(), route: new Set<string>() };
  stream = openStream(undefined);
  /** In flight to the proxy, oldest first. */
  inbox: StreamResponse[] = [];
  opened = new Set<ResourceKind>();

  connect(snapshot: SealedSnapshot | undefined): void {
    this.stream = openStream(snapshot);
    this.inbox = [];
    this.opened = new Set();
    this.request("cluster", {});
    if (this.wanted.assignment.size > 0)
      this.request("assignment", { subscribe: [...this.wanted.assignment] });
    this.request("listener", {});
    if (this.wanted.route.size > 0) this.request("route", { subscribe: [...this.wanted.route] });
  }

  request(kind: ResourceKind, change: Partial<StreamRequest>): void {
    const first = !this.opened.has(kind);
    this.opened.add(kind);
    receive(this.stream, kind, {
      ...noAsk,
      ...(first && { initialVersions: Object.fromEntries(this.have[kind]) }),
      ...change,
    });
    this.pump();
  }

  pump(): void {
    for (let next = nextResponse(this.stream); next !== undefined; next = nextResponse(this.stream))
      this.inbox.push(next);
    for (const kind of kinds)
      assert.ok(this.inbox.filter((one) => one.kind === kind).length <= 1, `two ${kind} responses wait`);
  }

  /** Applies and answers the oldest response. @param refuse applies a part and refuses it */
  answer(random: Prng, refuse: boolean): void {
    const response = this.inbox.shift();
    if (response === undefined) return;
    const { kind, nonce, upserts, removals } = response;
    assert.equal(
      new Set([...upserts.map(({ name }) => name), ...removals]).size,
      upserts.length + removals.length,
    );
    const applied = refuse ? upserts.filter(() => random.chance(0.5)) : upserts;
    for (const { name, version } of applied) {
      if (kind === "cluster" || kind === "listener" || this.wanted[kind].has(name))
        this.have[kind].set(name, version);
    }
    for (const name of removals) this.have[kind].delete(name);
    this.checkRoutes();
    if (kind === "cluster") this.follow("assignment", new Set(this.have.cluster.keys()));
    if (kind === "listener") this.follow("route", new Set(this.have.listener.size > 0 ? ["r"] : []));
    this.request(kind, { nonce, error: refuse ? "no" : undefined });
  }

  follow(kind: "assignment" | "route", names: Set<string>): void {
    const before = this.wanted[kind];
    const subscribe = [...names].filter((name) => !before.has(name));
    const unsubscribe = [...before].filter((name) => !names.has(name));
    this.wanted[kind] = names;
    for (const name of unsubscribe) this.have[kind].delete(name);
    if (subscribe.length + unsubscribe.length > 0) this.request(kind, { subscribe, unsubscribe });
  }

  /** Drops a name and asks for it again at once, as a changed cluster may do. */
  resubscribe(name: string): void {
    if (!this.wanted.assignment.has(name)) return;
    this.request("assignment", { unsubscribe: [name] });
    this.request("assignment", { subscribe: [name] });
  }

  /** Make before break: whatever a route names is there, with endpoints. */
  checkRoutes(): void {
    for (const version of this.have.route.values()) {
      for (const name of (version.split(">")[1] ?? "").split(",").filter((one) => one !== "")) {
        assert.ok(this.have.cluster.has(name), `a route names ${name}, which is gone or not there yet`);
        assert.ok(this.have.assignment.has(name), `a route names ${name}, which has no endpoints yet`);
      }
    }
  }
}

const steps = fc.array(
  fc.constantFrom("publish", "answer", "answer", "answer", "refuse", "reconnect", "resubscribe"),
  {
    maxLength: 60,
    size: "max",
  },
);

test("after any history a proxy ends with exactly what is published, and no route ever names what it does not have", () => {
  fc.assert(
    fc.property(steps, fc.integer(), (history, seed) => {
      const random = prng(seed);
      const proxy = new SimProxy();
      let snapshot = snapshotOf(random, "a");
      proxy.connect(snapshot);
      proxy.pump();
      for (const step of history) {
        if (step === "publish") {
          snapshot = snapshotOf(random, random.pick(["a", "b"]));
          publish(proxy.stream, snapshot);
          proxy.pump();
        } else if (step === "reconnect") {
          proxy.connect(snapshot);
        } else if (step === "resubscribe") proxy.resubscribe(random.pick(clusterNames));
        else proxy.answer(random, step === "refuse");
      }
      // Refused content is not sent again until it changes, so the end is a publish in which all is new.
      snapshot = snapshotOf(random, "z");
      publish(proxy.stream, snapshot);
      proxy.pump();
      for (let left = 100; proxy.inbox.length > 0; left -= 1) {
        assert.ok(left > 0, "the stream never comes to rest");
        proxy.answer(random, false);
      }
      for (const kind of kinds) {
        const published = [...snapshot.resources[kind].values()].map(
          ({ name, version }) => [name, version] as const,
        );
        assert.deepEqual(new Map(proxy.have[kind]), new Map(published), kind);
      }
      assert.ok(isAccepted(proxy.stream));
    }),
    { numRuns: 2_000 },
  );
});

test("a proxy that reconnects with what is published is sent nothing", () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = prng(seed);
      const snapshot = snapshotOf(random, "a");
      const proxy = new SimProxy();
      proxy.connect(snapshot);
      while (proxy.inbox.length > 0) proxy.answer(random, false);
      if (proxy.have.cluster.size === 0) return; // an empty answer is due to a proxy that has nothing
      proxy.connect(snapshot);
      assert.deepEqual(proxy.inbox, []);
      assert.ok(isAccepted(proxy.stream));
    }),
    { numRuns: 300 },
  );
});

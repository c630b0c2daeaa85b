// What a proxy is sent, one request after the other. Whole conversations are in stream.prop.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResourceKind } from "../resource/kind.ts";
import type { Sealed, SealedSnapshot } from "../snapshot/snapshot.ts";
import {
  isAccepted,
  nextResponse,
  openStream,
  publish,
  receive,
  type Stream,
  type StreamRequest,
} from "./stream.ts";

type Versions = Readonly<Record<string, string>>;

const ask = (more: Partial<StreamRequest>): StreamRequest => ({
  subscribe: [],
  unsubscribe: [],
  initialVersions: {},
  nonce: "",
  error: undefined,
  ...more,
});

/** Every cluster whose name an assignment has takes its endpoints from it. */
function snapshotOf(versions: Partial<Record<ResourceKind, Versions>>): SealedSnapshot {
  const of = (kind: ResourceKind): ReadonlyMap<string, Sealed> =>
    new Map(
      Object.entries(versions[kind] ?? {}).map(([name, version]) => [
        name,
        { name, version, body: new Uint8Array() },
      ]),
    );
  const assignment = of("assignment");
  return {
    resources: { cluster: of("cluster"), assignment, listener: of("listener"), route: of("route") },
    assignmentOf: new Map([...assignment.keys()].map((name) => [name, name])),
  };
}

/** The next response as `kind: +name@version, -name`. */
function next(stream: Stream): string | undefined {
  const response = nextResponse(stream);
  if (response === undefined) return undefined;
  const { kind, upserts, removals } = response;
  const parts = [
    ...upserts.map(({ name, version }) => `+${name}@${version}`),
    ...removals.map((name) => `-${name}`),
  ];
  return `${kind}: ${parts.join(" ")}`.trimEnd();
}

const accept = (stream: Stream, kind: ResourceKind): boolean =>
  receive(stream, kind, ask({ nonce: String(stream.responses) }));
const refuse = (stream: Stream, kind: ResourceKind): boolean =>
  receive(stream, kind, ask({ nonce: String(stream.responses), error: "no" }));

test("without a snapshot nothing is sent and nothing is accepted", () => {
  const stream = openStream(undefined);
  receive(stream, "cluster", ask({}));
  receive(stream, "listener", ask({}));
  assert.equal(next(stream), undefined);
  assert.equal(isAccepted(stream), false);
});

test("a snapshot is accepted when the proxy has asked for clusters and listeners and taken both, even if empty", () => {
  const stream = openStream(snapshotOf({}));
  assert.equal(isAccepted(stream), false);
  for (const kind of ["cluster", "listener"] as const) {
    receive(stream, kind, ask({}));
    assert.equal(next(stream), `${kind}:`);
    assert.equal(isAccepted(stream), false);
    accept(stream, kind);
    assert.equal(isAccepted(stream), kind === "listener");
  }
  assert.equal(next(stream), undefined);
});

test("a first request without names asks for all clusters, one with names for these", () => {
  const snapshot = snapshotOf({ cluster: { a: "1", b: "1" }, assignment: { a: "1", b: "1" } });
  const all = openStream(snapshot);
  receive(all, "cluster", ask({}));
  assert.equal(next(all), "cluster: +a@1 +b@1");
  const one = openStream(snapshot);
  receive(one, "cluster", ask({ subscribe: ["a"] }));
  assert.equal(next(one), "cluster: +a@1");
  const none = openStream(snapshot);
  receive(none, "assignment", ask({}));
  assert.equal(next(none), undefined);
});

test("what a proxy has from an earlier stream is not sent again, and its wildcard needs no answer then", () => {
  const stream = openStream(snapshotOf({ cluster: { a: "1" } }));
  receive(stream, "cluster", ask({ initialVersions: { a: "1" } }));
  assert.equal(next(stream), undefined);
});

test("a wildcard may come and go; what is named stays", () => {
  const stream = openStream(snapshotOf({ cluster: { a: "1", b: "1" } }));
  receive(stream, "cluster", ask({ subscribe: ["a"] }));
  assert.equal(next(stream), "cluster: +a@1");
  receive(stream, "cluster", ask({ nonce: "1", subscribe: ["*"] }));
  assert.equal(next(stream), "cluster: +b@1");
  receive(stream, "cluster", ask({ nonce: "2", unsubscribe: ["*"] }));
  publish(stream, snapshotOf({ cluster: { a: "2", b: "2" } }));
  assert.equal(next(stream), "cluster: +a@2");
});

test("a name that is given back under a wildcard is told anew: what it is, or that it is not", () => {
  const stream = openStream(snapshotOf({ cluster: { a: "1" } }));
  receive(stream, "cluster", ask({ subscribe: ["*", "a", "x"] }));
  // Absences wait until listeners and routes name nothing that goes.
  assert.equal(next(stream), "cluster: +a@1 -x");
  receive(stream, "cluster", ask({ nonce: "1", unsubscribe: ["a"] }));
  assert.equal(next(stream), "cluster: +a@1");
  receive(stream, "cluster", ask({ nonce: "2", unsubscribe: ["x", "never"] }));
  assert.equal(next(stream), "cluster: -x");
});

test("nonces tell responses apart, and one response of a kind waits for its answer", () => {
  const stream = openStream(snapshotOf({ cluster: { a: "1" } }));
  receive(stream, "cluster", ask({}));
  assert.equal(nextResponse(stream)?.nonce, "1");
  publish(stream, snapshotOf({ cluster: { a: "2" } }));
  assert.equal(nextResponse(stream), undefined);
  assert.equal(receive(stream, "cluster", ask({ nonce: "of another stream", error: "no" })), false);
  assert.equal(nextResponse(stream), undefined);
  accept(stream, "cluster");
  assert.equal(nextResponse(stream)?.nonce, "2");
});

test("a changed cluster is followed by its endpoints, also by the same ones: it is warm only then", () => {
  const stream = openStream(snapshotOf({ cluster: { a: "1" }, assignment: { a: "1" } }));
  receive(stream, "cluster", ask({}));
  receive(stream, "assignment", ask({ subscribe: ["a"] }));
  for (const kind of ["cluster", "assignment"] as const) {
    assert.equal(next(stream), `${kind}: +a@1`);
    accept(stream, kind);
  }
  publish(stream, snapshotOf({ cluster: { a: "2" }, assignment: { a: "1" } }));
  assert.equal(next(stream), "cluster: +a@2");
  assert.equal(next(stream), "assignment: +a@1");
});

test("endpoints that are refused while their cluster changes go out with the changed one", () => {
  const stream = openStream(snapshotOf({ cluster: { a: "1" }, assignment: { a: "1" } }));
  receive(stream, "cluster", ask({}));
  receive(stream, "assignment", ask({ subscribe: ["a"] }));
  assert.equal(next(stream), "cluster: +a@1");
  accept(stream, "cluster");
  assert.equal(next(stream), "assignment: +a@1");
  publish(stream, snapshotOf({ cluster: { a: "2" }, assignment: { a: "1" } }));
  assert.equal(next(stream), "cluster: +a@2");
  receive(stream, "assignment", ask({ nonce: "2", error: "no such cluster" }));
  assert.equal(next(stream), "assignment: +a@1");
});

test("what was refused is sent again when something of its kind has changed, not before", () => {
  const before = { cluster: { a: "1", b: "1" } };
  const stream = openStream(snapshotOf(before));
  receive(stream, "cluster", ask({}));
  assert.equal(next(stream), "cluster: +a@1 +b@1");
  assert.equal(refuse(stream, "cluster"), true);
  assert.equal(next(stream), undefined);
  assert.equal(isAccepted(stream), false);
  publish(stream, snapshotOf({ ...before, listener: { l: "1" } }));
  assert.equal(next(stream), undefined);
  publish(stream, snapshotOf({ cluster: { a: "1", b: "2" } }));
  assert.equal(next(stream), "cluster: +a@1 +b@2");
});

test("listeners wait for the clusters that the proxy wants, not for others", () => {
  const snapshot = snapshotOf({ cluster: { a: "1", b: "1" }, listener: { l: "1" } });
  const stream = openStream(snapshot);
  receive(stream, "cluster", ask({ subscribe: ["a"] }));
  receive(stream, "listener", ask({}));
  assert.equal(next(stream), "cluster: +a@1");
  assert.equal(next(stream), undefined);
  accept(stream, "cluster");
  assert.equal(next(stream), "listener: +l@1");
  const bare = openStream(snapshot);
  receive(bare, "listener", ask({}));
  assert.equal(next(bare), "listener: +l@1", "a proxy without clusters waits for none");
});

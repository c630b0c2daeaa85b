import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AgentSchema } from "@voda/proto/api";
import { ReportSchema } from "@voda/proto/node";
import { sessionToken } from "@voda/proto/session";
import { Agents } from "../agents/agents.ts";
import { Directory } from "../directory/directory.ts";
import { createSigner } from "../grant/sign.ts";
import { Pool } from "../placement/index.ts";
import { pick, pickAll } from "./pick.ts";
import { RoomMaker } from "./room-maker.ts";
import { Scheduler } from "./scheduler.ts";

/** The same object; each call of one of its methods, but for those that it makes itself, is written down. */
function counted<T extends object>(of: T, calls: string[]): T {
  return new Proxy(of, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown => {
        calls.push(String(key));
        return Reflect.apply(value, target, args);
      };
    },
  });
}

function open() {
  const clock = { wallMs: () => 0, monotonicMs: () => 0 };
  const visits = { directory: [] as string[], agents: [] as string[], kinds: 0 };
  const agents = new Agents();
  agents.set(
    create(AgentSchema, { namespace: "default", name: "half", revision: "r1", resources: { gpuMilli: 500 } }),
  );
  const pool = new Pool({});
  const kindOf = pool.kindOf.bind(pool);
  const directory = new Directory({ pool, requestOf: (one) => agents.requestOf(one) });
  const gpus = [{ uuid: "g0", model: "X", memoryMib: 1000 }];
  const has = { cpuMilli: 1000, memoryMib: 1024, diskMib: 0, gpus };
  directory.join({ id: "a", incarnation: "1", ingress: "127.0.0.1:1", zone: "", ...has });
  directory.apply(create(ReportSchema, { node: "a", incarnation: "1", sequence: 1n, full: true }), 0);
  const rooms = new RoomMaker({ clock, putToSleep: () => Promise.resolve("away") });
  const scheduler = new Scheduler({
    agents: counted(agents, visits.agents),
    directory: counted(directory, visits.directory),
    pool,
    clock,
    rooms,
  });
  pool.kindOf = (request) => {
    visits.kinds += 1;
    return kindOf(request);
  };
  return { context: { scheduler, signer: createSigner(), storeMs: () => 0 }, directory, visits, scheduler };
}
const name = (key: string) => ({ namespace: "default", agent: "half", key });

test("one wake visits the directory twice, the agents once, and finds the kind of its request once", () => {
  const { context, scheduler, visits } = open();
  using _owned = scheduler;
  const picked = pick(context, name("1"));
  assert.equal(picked.type, "placed");
  assert.deepEqual(visits, { directory: ["find", "reserve"], agents: ["get", "requestOf"], kinds: 1 });
});

test("the owner of an awake session is found by one visit of the directory, and nothing else is asked", () => {
  const { context, scheduler, directory, visits } = open();
  using _owned = scheduler;
  const activated = [{ ...name("1"), epoch: 1n }];
  directory.apply(create(ReportSchema, { node: "a", incarnation: "1", sequence: 2n, activated }), 0);
  visits.kinds = 0; // the report has found one
  const picked = pick(context, name("1"));
  assert.deepEqual([picked.type, picked.type === "owner" && picked.node.id], ["owner", "a"]);
  assert.deepEqual(visits, { directory: ["find"], agents: [], kinds: 0 });
});

test("a session that was only sent to a node gets a new grant for the same node, by one visit", () => {
  const { context, scheduler, visits } = open();
  using _owned = scheduler;
  const first = pick(context, name("1"));
  visits.directory.length = 0;
  const second = pick(context, name("1"));
  assert.ok(first.type === "placed" && second.type === "placed");
  assert.equal(second.node, first.node);
  assert.notEqual(second.grant, first.grant);
  assert.deepEqual(visits.directory, ["find"]);
});

test("each member of a gang is looked for once and reserved once", () => {
  const { context, scheduler, visits } = open();
  using _owned = scheduler;
  const members = pickAll(context, [name("1"), name("2")]);
  assert.ok(!("type" in members));
  assert.deepEqual(
    members.map(({ node, wasAwake, grant }) => [node, wasAwake, grant !== ""]),
    [
      ["a", false, true],
      ["a", false, true],
    ],
  );
  assert.deepEqual(visits.directory, ["find", "find", "reserve", "reserve"]);
  assert.equal(sessionToken(members[0]?.name ?? assert.fail()), sessionToken(name("1")));
});

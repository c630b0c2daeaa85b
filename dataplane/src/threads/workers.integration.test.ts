import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Agent, AgentSchema, MethodMode } from "@voda/proto/api";
import { bundleLoadMsMax } from "@voda/proto/wire";
import { waitUntil } from "@voda/test/kit";
import pino from "pino";
import { openWorkers, type Workers } from "./workers.ts";

const folder = mkdtempSync(join(tmpdir(), "voda-workers-"));
after(() => rmSync(folder, { recursive: true }));

const agentOf = (revision: string, name = "a"): Agent =>
  create(AgentSchema, { namespace: "default", name, revision });
const sessionOf = (agent: string) => ({ namespace: "default", agent });

/** A bundle with agents a, b and c, and more code before them. */
function bundle(revision: string, code = ""): string {
  const file = join(folder, `${revision}.mjs`);
  const agents =
    'export default { agents: ["a", "b", "c"].map((name) => agent(name, {}).handlers({ run: () => 1 })) };';
  writeFileSync(file, `import { agent } from "voda";\n${code}\n${agents}\n`);
  return file;
}

interface Rig {
  readonly workers: Workers;
  readonly lines: string[];
  readonly retirements: PromiseWithResolvers<void>[];
}

function rig(): Rig {
  const lines: string[] = [];
  const retirements: PromiseWithResolvers<void>[] = [];
  const workers = openWorkers({
    node: "n1",
    log: pino({}, { write: (line: string) => void lines.push(line) }),
    onLost: () => undefined,
    holdLimit: () => undefined,
    heapMib: 64,
    onRetire() {
      const retirement = Promise.withResolvers<void>();
      retirements.push(retirement);
      return retirement.promise;
    },
  });
  return { workers, lines, retirements };
}

const closed = (lines: readonly string[], revision: string): boolean =>
  lines.some((line) => line.includes("old revision closed") && line.includes(revision));

const endless = /did not load in bundleLoadMsMax 10000/;
const bad: readonly [string, string, RegExp][] = [
  ["throws", "throw new TypeError('boom');", /^Error: TypeError: boom/],
  ["rejects", "await Promise.reject(new Error('no model'));", /^Error: Error: no model/],
  ["exits", "process.exit(0);", /process.exit would end the sessions of others too/],
  ["fills", "const all = []; for (;;) all.push(new Array(1e5).fill(1.5));", /its heap of heapMib 64 is full/],
  ["spins", "for (;;);", endless],
  ["waits", "await new Promise(() => {});", endless],
];

test("a bundle that does not load is refused with what it did, side by side, and the one before it stays", async (context) => {
  await using stack = new AsyncDisposableStack();
  const { workers } = rig();
  stack.use(workers);
  await workers.deploy(agentOf("good"), bundle("good"));
  // The time that a bundle has is over when the test says so: it stands still until the others have failed.
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const failing = bad.map(([name, code, what]) => ({
    isEndless: what === endless,
    refused: assert.rejects(workers.deploy(agentOf(name), bundle(name, code)), what),
  }));
  for (const { isEndless, refused } of failing) if (!isEndless) await refused;
  context.mock.timers.tick(bundleLoadMsMax);
  await Promise.all(failing.map(({ refused }) => refused));
  context.mock.timers.reset();
  assert.equal(workers.of(sessionOf("a"))?.worker.revision, "good");
});

test("a bundle that replaces what its thread writes with ends its own thread only", async () => {
  await using stack = new AsyncDisposableStack();
  const { workers } = rig();
  stack.use(workers);
  await workers.deploy(agentOf("neighbour"), bundle("neighbour"));
  const replaced: readonly [string, string, RegExp][] = [
    ["null-lines", 'JSON.stringify = () => "null"; console.log("x");', /null is not a line of the log/],
    ["null-agents", 'JSON.stringify = () => "[null]";', /\[null\] is not the definitions of agents/],
    ["no-json", 'JSON.stringify = () => "{";', /what it wrote cannot be read/],
  ];
  for (const [revision, code, what] of replaced)
    await assert.rejects(workers.deploy(agentOf(revision), bundle(revision, code)), what);
  assert.equal(workers.of(sessionOf("a"))?.worker.revision, "neighbour");
});

test("a bundle without the agent, its field or its method is refused", async () => {
  await using stack = new AsyncDisposableStack();
  const { workers } = rig();
  stack.use(workers);
  const file = bundle("partial");
  const of = (more: MessageInitShape<typeof AgentSchema>): Agent =>
    create(AgentSchema, { namespace: "default", name: "a", revision: "partial", ...more });
  await assert.rejects(workers.rehearse([of({ name: "z" })], file), /has no agent z; it has: a, b, c/);
  await assert.rejects(
    workers.rehearse([of({ fields: [{ name: "n", kind: "counter" }] })], file),
    /no field n/,
  );
  const methods = [{ name: "run", mode: MethodMode.READONLY }];
  await assert.rejects(workers.rehearse([of({ methods })], file), /has no readonly method run/);
});

test("a bundle that was rehearsed is deployed in the thread that loaded it, and its output is not an agent's alone", async () => {
  await using stack = new AsyncDisposableStack();
  const { workers, lines } = rig();
  stack.use(workers);
  const file = bundle("rehearsed", 'console.log("loading once"); process.stderr.write("banner\\n");');
  await workers.rehearse([agentOf("rehearsed")], file);
  assert.equal(workers.of(sessionOf("a")), undefined, "it is not deployed yet");
  await workers.deploy(agentOf("rehearsed"), file);
  await workers.running([agentOf("rehearsed")]);
  const said = lines.map((line) => JSON.parse(line)).filter(({ msg }) => /loading once|banner/.test(msg));
  assert.deepEqual(
    said.map(({ level, agent, msg }) => [level, agent, msg]),
    [
      [30, "a, b, c", "loading once"],
      [40, "a, b, c", "banner"],
    ],
  );
});

test("a revision that is current again by the time that its sessions have moved is kept", async () => {
  await using stack = new AsyncDisposableStack();
  const { workers, lines, retirements } = rig();
  stack.use(workers);
  for (const revision of ["r1", "r2", "r1"]) await workers.deploy(agentOf(revision), bundle(revision));
  const first = workers.of(sessionOf("a"))?.worker;
  for (const retirement of retirements) retirement.resolve();
  await waitUntil(() => closed(lines, "r2"), "the revision that nobody needs is closed");
  await workers.deploy(agentOf("r1", "b"), bundle("r1"));
  assert.equal(workers.of(sessionOf("b"))?.worker, first, "it is the same thread");
});

test("a bundle of two agents is closed when all have left it", async () => {
  await using stack = new AsyncDisposableStack();
  const { workers, lines, retirements } = rig();
  stack.use(workers);
  await workers.deploy(agentOf("both", "a"), bundle("both"));
  await workers.deploy(agentOf("both", "b"), bundle("both"));
  await workers.deploy(agentOf("next", "a"), bundle("next"));
  assert.equal(retirements.length, 1, "the sessions of the first agent move at once");
  retirements[0]?.resolve();
  await workers.deploy(agentOf("both", "c"), bundle("both"));
  assert.equal(
    workers.of(sessionOf("c"))?.worker,
    workers.of(sessionOf("b"))?.worker,
    "the second agent kept it",
  );
  for (const name of ["b", "c"]) await workers.deploy(agentOf("next", name), bundle("next"));
  for (const retirement of retirements) retirement.resolve();
  await waitUntil(() => closed(lines, "both"), "the bundle is closed");
});

test("an agent that is undeployed is told no more, its sessions go, and its bundle is closed when no agent has it", async () => {
  await using stack = new AsyncDisposableStack();
  const { workers, lines, retirements } = rig();
  stack.use(workers);
  for (const name of ["a", "b"]) await workers.deploy(agentOf("gone", name), bundle("gone"));
  workers.undeploy("default", "a");
  assert.equal(workers.of(sessionOf("a")), undefined);
  assert.equal(retirements.length, 1, "its sessions are put to sleep at once");
  const { failure } = workers.askRefusalOf(sessionOf("a"));
  assert.deepEqual(
    [failure.reason, failure.message],
    ["agent_not_found", "no agent a in namespace default; deployed are: b"],
  );
  assert.equal(
    workers.refusalOf(sessionOf("a")).failure.reason,
    "not_owner",
    "whoever passes calls on knows it",
  );
  retirements[0]?.resolve();
  workers.undeploy("default", "b");
  await new Promise((next) => setImmediate(next));
  assert.ok(!closed(lines, "gone"), "the other agent's sessions are still in its thread");
  retirements[1]?.resolve();
  await waitUntil(() => closed(lines, "gone"), "the bundle is closed");
});

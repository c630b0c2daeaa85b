import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type Agent, AgentSchema } from "@voda/proto/api";
import { waitUntil } from "@voda/test/kit";
import pino from "pino";
import { openWorkers, type Workers } from "./workers.ts";

const folder = mkdtempSync(join(tmpdir(), "voda-workers-"));
after(() => rmSync(folder, { recursive: true }));

const agentOf = (revision: string, name = "a"): Agent =>
  create(AgentSchema, { namespace: "default", name, revision });
const sessionOf = (agent: string) => ({ namespace: "default", agent });

function bundle(revision: string, text = "export default { agents: [] };"): string {
  const file = join(folder, `${revision}.mjs`);
  writeFileSync(file, text);
  return file;
}

function rig(): { workers: Workers; lines: string[]; retirements: PromiseWithResolvers<void>[] } {
  const lines: string[] = [];
  const retirements: PromiseWithResolvers<void>[] = [];
  const workers = openWorkers({
    log: pino({}, { write: (line: string) => void lines.push(line) }),
    onMessage: () => assert.fail("no session speaks"),
    onLost: () => undefined,
    failOverdue: () => 0,
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

test("a bundle that throws or never ends while it loads is refused, and the one before it stays", async () => {
  await using stack = new AsyncDisposableStack();
  const { workers } = rig();
  stack.use(workers);
  await workers.deploy(agentOf("good"), bundle("good"));
  await assert.rejects(
    workers.deploy(agentOf("throws"), bundle("throws", "throw new Error('boom');")),
    /boom/,
  );
  await assert.rejects(
    workers.deploy(agentOf("spins"), bundle("spins", "for (;;);")),
    /bundleLoadMsMax 10000/,
  );
  assert.equal(workers.of(sessionOf("a"))?.worker.revision, "good");
});

test("a revision that is current again by the time that its sessions have moved is kept", async () => {
  await using stack = new AsyncDisposableStack();
  const { workers, lines, retirements } = rig();
  stack.use(workers);
  for (const revision of ["r1", "r2", "r1"]) await workers.deploy(agentOf(revision), bundle(revision));
  const first = workers.of(sessionOf("a"))?.worker;
  for (const retirement of retirements) retirement.resolve();
  await waitUntil(() => closed(lines, "r2"), 3_000, "the revision that nobody needs is closed");
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
  await waitUntil(() => closed(lines, "both"), 3_000, "the bundle is closed");
});

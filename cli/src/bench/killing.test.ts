import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { patchSource } from "../../../test/src/patch/patch.ts";
import type { BenchMesh } from "./mesh.ts";

patchSource("cli/src/bench/killing.ts", "downMsMax = 60_000", "downMsMax = 50");
const { startKilling } = await import("./killing.ts");

test("a part that is not started again ends the killing, and whoever stops it hears why", async () => {
  const victim = spawn(process.execPath, ["-e", "setInterval(() => undefined, 1_000)"]);
  const ended = once(victim, "exit");
  const mesh: BenchMesh = {
    url: "",
    startedAt: 0,
    describe: () => ({
      ingress: "",
      api: "",
      nats: { url: "", pid: 0 },
      envoy: { admin: "", pid: 0 },
      controlplanes: [],
      nodes: [{ id: "n1", pid: victim.pid ?? 0, ingress: "" }],
    }),
    [Symbol.asyncDispose]: async () => undefined,
  };
  const said: string[] = [];
  const killing = startKilling(mesh, { seed: 1, targets: ["node"], killEveryMs: 1 }, (line) =>
    said.push(line),
  );
  await ended;
  await assert.rejects(killing.stop(), /n1 was killed and does not serve again in 50 ms/);
  assert.deepEqual(said, ["killed node n1"]);
  assert.equal(killing.kills.length, 1);
});

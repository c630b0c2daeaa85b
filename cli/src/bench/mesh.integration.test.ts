import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { eventually, temporaryFolder } from "../../test/start.ts";
import { programs } from "../programs.ts";

test("a bench that is stopped ends its mesh, and leaves nothing", async () => {
  using folder = temporaryFolder();
  const env = { ...process.env, TMPDIR: folder.path };
  const args = [programs().cli, "bench", "counters", "--nodes", "1"];
  const bench = spawn(process.execPath, args, { stdio: "ignore", env });
  const ended = once(bench, "exit");
  const hasMesh = (): boolean =>
    readdirSync(folder.path).some((name) => existsSync(join(folder.path, name, "data", "supervisor.json")));
  await eventually("the mesh of the bench", () => hasMesh() || undefined);
  bench.kill("SIGTERM");
  assert.deepEqual(await ended, [null, "SIGTERM"]);
  assert.deepEqual(readdirSync(folder.path), []);
});

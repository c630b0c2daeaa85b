import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/start.ts";
import { writeFirst } from "./first-write.ts";
import { Mesh } from "./mesh.ts";
import { clearReadyFile } from "./ready-file.ts";

test("what a start cannot do without and cannot be written is told with its own name, and what to do", () => {
  using folder = temporaryFolder();
  assert.throws(
    () => writeFirst(join(folder.path, "none", "nats.conf"), ""),
    /^CliError: \S+\/none\/nats\.conf cannot be written: ENOENT: no such file or directory; make room .* --data-dir$/,
  );
  assert.throws(
    () => clearReadyFile(join(folder.path, "none", "ready.json")),
    /^CliError: --ready-file \S+\/none\/ready\.json cannot be written: ENOENT: no such file or directory; name a file/,
  );
});

for (const name of ["nats.conf", "store-limit"])
  test(`no nats-server is started with the ${name} of an earlier life`, async () => {
    using folder = temporaryFolder();
    mkdirSync(join(folder.path, name, "in-the-way"), { recursive: true });
    const started = Mesh.start({
      dataDir: folder.path,
      nodes: 1,
      ingressPort: 0,
      durability: "process",
      passedOn: { controlplane: {}, node: () => ({}) },
      programs: { controlplane: "", node: "" },
      say: assert.fail,
    });
    await assert.rejects(started, new RegExp(`^CliError: \\S+${name} cannot be written: E[A-Z]+: `));
  });

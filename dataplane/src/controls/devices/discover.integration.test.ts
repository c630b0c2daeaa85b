// The tools as real programs: what each kind of machine gives a node that starts.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { pino } from "pino";
import { discoverDevices } from "./discover.ts";

const all = { index: 0, count: 1 };
const path = process.env["PATH"];
const folders: string[] = [];
let folder = "";
let said: { err?: { message: string }; msg: string }[] = [];
const log = pino(
  { base: null },
  { write: (line: string) => said.push(JSON.parse(line) as (typeof said)[number]) },
);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "voda-tools-"));
  folders.push(folder);
  process.env["PATH"] = `${folder}:/usr/bin:/bin`;
  said = [];
});
after(() => {
  process.env["PATH"] = path;
  for (const one of folders) rmSync(one, { recursive: true });
});

function tool(name: string, script: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, name), 0o755);
}
const discover = async (file?: string): Promise<string[]> =>
  (await discoverDevices({ file, part: all, log })).map(({ uuid, vendor }) => `${vendor} ${uuid}`);

test("a machine without the tools has no GPUs, and nothing is wrong", async () => {
  assert.deepEqual(await discover(), []);
  assert.deepEqual(said, []);
});

test("the tool is asked for id, name and memory", async () => {
  tool(
    "nvidia-smi",
    '[ "$*" = "--query-gpu=uuid,name,memory.total --format=csv,noheader,nounits" ] && echo "GPU-1, H200, 143771"',
  );
  assert.deepEqual(await discover(), ["nvidia GPU-1"]);
});

test("a tool that fails, or says what nobody can read, leaves the node without its GPUs and the reason in the log", async () => {
  tool("nvidia-smi", "echo 'NVIDIA-SMI has failed' >&2; exit 9");
  assert.deepEqual(await discover(), []);
  assert.match(said[0]?.msg ?? "", /nvidia-smi tells of no GPUs; the node starts without them/);
  assert.match(said[0]?.err?.message ?? "", /NVIDIA-SMI has failed/);
  tool("nvidia-smi", "echo 'GPU-1, GB10, [N/A]'");
  tool(
    "amd-smi",
    `echo '[{"asic":{"market_name":"MI300X","asic_serial":"0x1"},"vram":{"size":{"value":1,"unit":"MB"}}}]'`,
  );
  assert.deepEqual(await discover(), ["amd GPU-0000000000000001"]);
  assert.match(said[1]?.err?.message ?? "", /line 1: memory.total is no number of MiB/);
});

test("declared GPUs are taken without asking a tool; a file that is wrong is an error", async () => {
  tool("nvidia-smi", "echo 'GPU-1, H200, 143771'");
  const file = join(folder, "gpus.json");
  await assert.rejects(discover(file), /gpus\.json: ENOENT: no such file/);
  writeFileSync(file, JSON.stringify([{ uuid: "GPU-9", model: "X", memoryMib: 1, vendor: "amd" }]));
  assert.deepEqual(await discover(file), ["amd GPU-9"]);
  writeFileSync(file, "[{}]");
  await assert.rejects(discover(file), /entry 1: uuid/);
});

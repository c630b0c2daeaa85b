import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

/** The exit code of a program of ours, and all that it said. */
async function ran(args: readonly string[]): Promise<{ readonly code: number; readonly said: string }> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const pipe of [child.stdout, child.stderr])
    pipe.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
  const [code] = await once(child, "close");
  return { code, said };
}

for (const [args, says] of [
  ["tools/test.ts --file zzz-nothing", /no test matches "zzz-nothing"/],
  ["tools/load.ts --file zzz-nothing", /no test that starts servers matches "zzz-nothing"/],
  ["tools/load.ts --minutes abc", /--minutes abc: it is a whole number from 1/],
  ["tools/load.ts --jobs 0", /--jobs 0: it is a whole number from 1/],
  ["tools/mutants/main.ts --target frame --count 3 --jobs x", /--jobs x: it is a whole number from 1/],
  ["tools/mutants/main.ts --target frame --count 0", /--count 0: it is a whole number from 1/],
  ["tools/mutants/main.ts --target frame --shard 3/2", /--shard 3\/2: it is a part of a whole, as 1\/2/],
] as const)
  test(`${args} runs nothing, and fails`, async () => {
    const { code, said } = await ran(args.split(" "));
    assert.equal(code, 1);
    assert.match(said, says);
  });

for (const isolation of ["none", "process"])
  test(`listeners that pile up are an error with isolation ${isolation}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "voda-reporter-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "listeners.mjs");
    writeFileSync(
      file,
      `import { EventEmitter } from "node:events";
      import { test } from "node:test";
      test("piles", async () => {
        const emitter = new EventEmitter();
        for (let i = 0; i < 11; i += 1) emitter.on("event", () => undefined);
        await new Promise(setImmediate);
      });`,
    );
    const reporter = "--test-reporter=./tools/reporter.ts";
    const { code, said } = await ran(["--test", `--test-isolation=${isolation}`, reporter, file]);
    assert.equal(code, 1);
    assert.match(said, /listeners pile up, which is an error: .*MaxListenersExceededWarning/);
  });

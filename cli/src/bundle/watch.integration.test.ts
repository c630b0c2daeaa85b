import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as turnOfLoop } from "node:timers/promises";
import { patchSource } from "../../../test/src/patch/patch.ts";
import { eventually, temporaryFolder } from "../../test/start.ts";

// A busy machine must not come between the two halves of a save.
patchSource("cli/src/bundle/watch.ts", "settleMs = 50", "settleMs = 500");
const { watchConfig } = await import("./watch.ts");

test("each save is noticed once, also the one before the watcher listens and one that does not compile", async (t) => {
  using folder = temporaryFolder();
  const step = join(folder.path, "step.ts");
  const config = join(folder.path, "voda.config.ts");
  writeFileSync(config, 'export { step as default } from "./step.ts";\n');
  const saves = [1, "1 +", 3].map((value) => `export const step: number = ${value};\n`);
  writeFileSync(step, saves[0] ?? "");
  const seen: string[] = [];
  const eyes = watch(folder.path);
  t.after(() => eyes.close());
  await using _watch = await watchConfig(config, true, async () => {
    seen.push(readFileSync(step, "utf8"));
  });
  for (const [at, text] of saves.entries()) {
    if (at > 0) {
      // As editors do: it is empty until who watches has seen it.
      const emptied = once(eyes, "change");
      writeFileSync(step, "");
      await emptied;
      writeFileSync(step, text);
    }
    await eventually(text, () => seen.length > at || undefined);
    assert.deepEqual(seen, saves.slice(0, at + 1));
  }
});

test("a save is noticed, whenever it comes while the watcher begins", async () => {
  using folder = temporaryFolder();
  for (const turns of [0, 1, 2, 4, 8, 16, 64]) {
    const config = join(folder.path, `after-${turns}.ts`);
    writeFileSync(config, "export default (");
    let last = "";
    await using _watch = await watchConfig(config, true, async () => {
      last = readFileSync(config, "utf8");
    });
    for (let turn = 0; turn < turns; turn += 1) await turnOfLoop();
    writeFileSync(config, `export default ${turns};`);
    await eventually("the save", () => last === `export default ${turns};` || undefined);
  }
});

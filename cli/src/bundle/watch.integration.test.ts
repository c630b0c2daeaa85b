import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as turnOfLoop } from "node:timers/promises";
import { watch } from "rolldown";
import { type Patch, patchedVariant } from "../../../test/src/patch/patch.ts";
import { eventually, temporaryFolder } from "../../test/start.ts";
import type * as watching from "./watch.ts";

/** A busy machine must not come between the two halves of a save. */
const settleMs = 500;

/** One that waits for so long until a file that was emptied is written. */
async function watcherWith(emptyMsMax: number): Promise<typeof watching.watchConfig> {
  const patch = (find: string, replace: string): Patch => ({
    file: "cli/src/bundle/watch.ts",
    find,
    replace,
  });
  const patches = [
    patch("settleMs = 50", `settleMs = ${settleMs}`),
    patch("emptyMsMax = 2_000", `emptyMsMax = ${emptyMsMax}`),
  ];
  const url = patchedVariant(new URL("./watch.ts", import.meta.url), `empty ${emptyMsMax}`, patches);
  const patched: typeof watching = await import(url);
  return patched.watchConfig;
}

const watchConfig = await watcherWith(60_000);

test("each save is noticed once, also the one before the watcher listens and one that does not compile", async (t) => {
  using folder = temporaryFolder();
  const step = join(folder.path, "step.ts");
  const config = join(folder.path, "voda.config.ts");
  writeFileSync(config, 'export { step as default } from "./step.ts";\n');
  const saves = [1, "1 +", 3].map((value) => `export const step: number = ${value};\n`);
  writeFileSync(step, saves[0] ?? "");
  const seen: string[] = [];
  let builds = 0;
  const eyes = watch({ input: config, watch: { skipWrite: true, buildDelay: settleMs } }).on(
    "event",
    async (event) => {
      if (event.code !== "BUNDLE_END" && event.code !== "ERROR") return;
      await event.result.close();
      builds += 1;
    },
  );
  t.after(() => eyes.close());
  await using _watch = await watchConfig(config, true, async () => {
    seen.push(readFileSync(step, "utf8"));
  });
  for (const [at, text] of saves.entries()) {
    if (at > 0) {
      // As editors do: it is empty until who watches has built that.
      const before = await eventually("the build before", () => (builds > 0 ? builds : undefined));
      writeFileSync(step, "");
      await eventually("a build of what is empty", () => builds > before || undefined);
      writeFileSync(step, text);
    }
    await eventually(text, () => seen.length > at || undefined);
    assert.deepEqual(seen, saves.slice(0, at + 1));
  }
});

test("a file that stays empty is noticed too", async () => {
  using folder = temporaryFolder();
  const config = join(folder.path, "voda.config.ts");
  writeFileSync(config, "export default 1;");
  const seen: string[] = [];
  const watchShortly = await watcherWith(1);
  await using _watch = await watchShortly(config, true, async () => {
    seen.push(readFileSync(config, "utf8"));
  });
  await eventually("the first build", () => seen.length > 0 || undefined);
  writeFileSync(config, "");
  await eventually("the save", () => seen.at(-1) === "" || undefined);
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

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { type Patch, patchedVariant, patchSource } from "./patch.ts";

const file = "dataplane/src/lane/constants.ts";
const constants = new URL("../../../dataplane/src/lane/constants.ts", import.meta.url);
const patch: Patch = { file, find: "hopsMax = 2", replace: "hopsMax = 7" };

test("a variant is loaded patched beside the module itself, with what it imports", async () => {
  const hopsMax = async (address: string): Promise<unknown> => (await import(address)).hopsMax;
  assert.equal(await hopsMax(patchedVariant(constants, "seven", [patch])), 7);
  assert.equal(await hopsMax(constants.href), 2);
  const wake = new URL("./wake.ts", constants);
  const broken = { ...patch, replace: "hopsMax = notThere" };
  await assert.rejects(import(patchedVariant(wake, "imported", [broken])), /notThere is not defined/);
});

test("a patch that does not match exactly once is refused at once", () => {
  for (const find of ["hopsMax = 3", "export const"])
    assert.throws(() => patchSource(file, find, ""), /matches \d+ times instead of once/);
  assert.throws(() => patchedVariant(constants, "none", [{ ...patch, find: "hopsMax = 3" }]), RangeError);
});

test("a patch of the thread holds for everything that is loaded after it", () => {
  const patching = new URL("./patch.ts", import.meta.url).href;
  const script = `const { patchSource } = await import(${JSON.stringify(patching)});
    patchSource(${JSON.stringify(file)}, "hopsMax = 2", "hopsMax = 7");
    console.log((await import(${JSON.stringify(constants.href)})).hopsMax);`;
  const output = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  assert.equal(output.trim(), "7");
});

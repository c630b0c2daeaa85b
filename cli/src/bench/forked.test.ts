import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Forked } from "./forked.ts";

/** Answers each message with itself, but for "end": then it kills itself. */
const program = `
process.send("up");
process.on("message", ({ text }) => {
  if (text === "end") process.kill(process.pid, "SIGKILL");
  process.send(text);
});`;

function forked(t: TestContext): Forked {
  const folder = mkdtempSync(join(tmpdir(), "voda-forked-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "program.mjs");
  writeFileSync(file, program);
  return new Forked(file, "the control");
}

test("one that a signal ends is told of with the signal, and can be disposed of", async (t) => {
  await using control = forked(t);
  assert.equal(await control.next(), "up");
  assert.equal(await control.ask({ text: "1" }), "1");
  const told = { message: "the control ended with SIGKILL; the lines above say why" };
  await assert.rejects(control.ask({ text: "end" }), told);
  await assert.rejects(control.ask({ text: "2" }), told);
});

test("its end hides no error for which it is disposed of", async (t) => {
  const real = new Error("the session was refused");
  const failing = async (): Promise<void> => {
    await using control = forked(t);
    await control.next();
    throw real;
  };
  await assert.rejects(failing(), real);
  await new Promise((resolve) => setImmediate(resolve)); // a rejection that nobody takes would be seen by now
});

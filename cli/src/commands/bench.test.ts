import assert from "node:assert/strict";
import { test } from "node:test";
import { Command } from "commander";
import type { MeshBench, MeshRun } from "../bench/mesh-bench.ts";
import { benches } from "../bench/registry.ts";
import { addBenches } from "./bench.ts";

async function bench(
  { failure, more = {} }: { readonly failure?: string; readonly more?: object },
  ...args: string[]
): Promise<{ run: MeshRun | undefined; printed: string[] }> {
  let seen: MeshRun | undefined;
  const printed: string[] = [];
  const one: MeshBench = {
    name: "one",
    summary: "measures one",
    takesUrl: true,
    flags: [
      { name: "edits-per-call", type: "whole", description: "edits", default: 16 },
      { name: "file", type: "text", description: "a file" },
      { name: "cold", type: "switch", description: "without a warm-up" },
    ],
    run: async (run) => {
      seen = run;
      return {
        figures: { equal: failure === undefined, rps: 12.5, ...more },
        ...(failure !== undefined && { failure }),
      };
    },
  };
  const program = new Command("voda").exitOverride().configureOutput({ writeErr: () => undefined });
  addBenches(program, [one], {
    out: (line) => void printed.push(line),
    exact: () => undefined,
    err: () => undefined,
  });
  try {
    await program.parseAsync(["bench", "one", ...args], { from: "user" });
  } catch (error) {
    printed.push(String(error));
  }
  return { run: seen, printed };
}

test("more timers than the sessions of a bench may have are refused before its mesh is started", async () => {
  const timers = benches.find(({ name }) => name === "timers");
  const values = { count: 8_001, sessions: 2, seconds: 1 };
  await assert.rejects(async () => timers?.run({ values, url: undefined, say: () => undefined }), {
    message: "--count 8001 is more than 4000 timers of each of 2 sessions: give more --sessions",
  });
});

test("a bench gets all its flags by name, with their defaults, and no URL", async () => {
  const { run } = await bench({}, "--file", "a.json");
  assert.deepEqual(run?.values, { "edits-per-call": 16, file: "a.json", cold: 0 });
  assert.equal(run?.url, undefined);
  assert.equal((await bench({}, "--file", "a", "--cold")).run?.values["cold"], 1);
});

test("the last line of --json is the figures", async () => {
  const { run, printed } = await bench(
    {},
    "--file",
    "a",
    "--edits-per-call",
    "4",
    "--url",
    "http://h:1/",
    "--json",
  );
  assert.deepEqual([run?.values["edits-per-call"], run?.url], [4, "http://h:1"]);
  assert.deepEqual(printed, ['{"equal":true,"rps":12.5}']);
});

test("for people each figure is a line of its own, without JSON", async () => {
  const more = { killsOf: { node: 2 }, whileDown: { node: { calls: 7 } }, target: "random" };
  const { printed } = await bench({ more }, "--file", "a");
  assert.deepEqual(
    printed
      .join()
      .split("\n")
      .map((line) => line.split(/ {2,}/)),
    [
      ["FIGURE", "VALUE"],
      ["equal", "true"],
      ["rps", "12.5"],
      ["killsOf.node", "2"],
      ["whileDown.node.calls", "7"],
      ["target", "random"],
    ],
  );
});

test("a run that is not what it must be prints its figures and fails", async () => {
  const { printed } = await bench({ failure: "a text differs" }, "--file", "a", "--json");
  assert.deepEqual(printed, ['{"equal":false,"rps":12.5}', "CliError: one: a text differs"]);
});

test("a flag without a default must be given, and whole numbers are whole", async () => {
  assert.match((await bench({})).printed.join(), /required option '--file <text>' not specified/);
  assert.match(
    (await bench({}, "--file", "a", "--edits-per-call", "1.5")).printed.join(),
    /'1.5' is invalid/,
  );
});

test("a bench of nothing is refused before it starts a mesh", async () => {
  const program = new Command("voda").exitOverride().configureOutput({ writeErr: () => undefined });
  addBenches(program, benches, { out: () => undefined, exact: () => undefined, err: () => undefined });
  for (const args of [
    ["calls", "--seconds", "0"],
    ["ask", "--at-once", "0"],
    ["counters", "--clients", "0"],
    ["counters", "--seconds", "3601"],
    ["mesh-trace", "--sessions", "0"],
    ["mesh-trace", "--edits-per-call", "0"],
    ["wake", "--nodes", "17"],
    ["kill", "--kill-every-ms", "0"],
    ["ready", "--runs", "0"],
  ])
    await assert.rejects(
      program.parseAsync(["bench", ...args], { from: "user" }),
      /write a whole number of 1 to/,
    );
});

test("--url is offered by the benches that take a running mesh, and by no other", async () => {
  const program = new Command("voda").exitOverride().configureOutput({ writeErr: () => undefined });
  addBenches(program, benches, { out: () => undefined, exact: () => undefined, err: () => undefined });
  const offering = program.commands[0]?.commands.filter((one) =>
    one.options.some(({ long }) => long === "--url"),
  );
  assert.deepEqual(
    offering?.map((one) => one.name()),
    ["mesh-trace", "counters"],
  );
  await assert.rejects(
    program.parseAsync(["bench", "timers", "--url", "http://h:1"], { from: "user" }),
    /unknown option '--url'/,
  );
});

test("a bench is told what it can kill before it starts a mesh", async () => {
  const program = new Command("voda").exitOverride();
  addBenches(program, benches, { out: () => undefined, exact: () => undefined, err: () => undefined });
  await assert.rejects(
    program.parseAsync(["bench", "kill", "--target", "tank"], { from: "user" }),
    /--target tank is none of node, controlplane, envoy, nats, worker, random/,
  );
});

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const program = `
import { BenchError, runBenches } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
const one = {
  name: "one",
  summary: "measures one",
  flags: [
    { name: "file", type: "text", description: "a file" },
    { name: "runs", type: "whole", most: 1000, description: "runs", default: 3 },
    { name: "seed", type: "whole", least: 1, description: "seed", default: 1 },
    { name: "cold", type: "switch", description: "without a warm-up" },
  ],
  run: ({ values, say }) => {
    say("starts");
    if (values.file === "mistake") throw new BenchError("--file mistake\\nis wrong");
    if (values.file === "unreadable") throw new RangeError("line 3 is wrong");
    return { figures: values, ...(values.runs === 0 && { failure: "it ran not once" }) };
  },
};
await runBenches([one], process.argv.slice(1), (error) => error instanceof RangeError);
`;

function bench(...args: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "-e", program, ...args],
    {
      encoding: "utf8",
    },
  );
  return { code: status, out: stdout, err: stderr };
}

test("a bench gets every flag; --json is one line of its figures, and what it says is no part of it", () => {
  const out = '{"file":"a","runs":3,"seed":1,"cold":1}\n';
  assert.deepEqual(bench("one", "--file", "a", "--cold", "--json"), { code: 0, out, err: "starts\n" });
});

test("a failed run prints its figures and ends with 1, a mistake of the user with 2, each on one line", () => {
  const { code, out, err } = bench("one", "--file", "a", "--runs", "0", "--json");
  assert.deepEqual(
    [code, out, err],
    [1, '{"file":"a","runs":0,"seed":1,"cold":0}\n', "starts\nerror: it ran not once\n"],
  );
  const wrong: readonly (readonly [string[], number, string])[] = [
    [["two"], 2, '"two" is none of one'],
    [["one"], 2, "--file is missing: a file"],
    [["one", "--file", "a", "--runs", "-1"], 2, '--runs "-1" is not a whole number of 0 to 1000'],
    [["one", "--file", "a", "--runs", "1001"], 2, '--runs "1001" is not a whole number of 0 to 1000'],
    [["one", "--file", "a", "--seed", "0"], 2, '--seed "0" is not a whole number of 1 to 9007199254740991'],
    [["one", "--flie", "a"], 2, "Unknown option '--flie'; flags are --file, --runs, --seed, --cold, --json"],
    [["one", "--file", "mistake"], 2, "--file mistake is wrong"],
    [["one", "--file", "unreadable"], 1, "line 3 is wrong"],
  ];
  for (const [args, exitCode, words] of wrong) {
    const ended = bench(...args);
    assert.deepEqual([ended.code, ended.err.trim().split("\n").at(-1)], [exitCode, `error: ${words}`]);
  }
});

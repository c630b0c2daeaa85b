// The benches of placement as users call them, on lists of a few lines.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { run } from "../program.ts";

const folder = mkdtempSync(join(tmpdir(), "voda-bench-"));
after(() => rmSync(folder, { recursive: true }));
const file = (name: string, ...lines: readonly string[]): string => {
  const path = join(folder, name);
  writeFileSync(path, lines.map((line) => `${line}\n`).join(""));
  return path;
};

const podHeader = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,creation_time,deletion_time";
const pod = (i: number): string =>
  `p${i},4000,8192,1,${[1000, 460, 250, 1000][i % 4]},${i % 5 === 0 ? "G2|P100" : ""},${i},${i + 20}`;
const nodes = file(
  "nodes.csv",
  "sn,cpu_milli,memory_mib,gpu,model",
  "n0,96000,393216,8,G2",
  "n1,64000,262144,2,P100",
);
const pods = file("pods.csv", podHeader, ...Array.from({ length: 40 }, (_, i) => pod(i)));
const traces = ["--nodes", nodes, "--pods", pods];

interface Ran {
  readonly code: number;
  readonly out: readonly string[];
  readonly err: readonly string[];
}

async function bench(...args: readonly string[]): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await run(["bench", ...args], {
    out: (line) => out.push(line),
    err: (line) => err.push(line),
  });
  return { code, out, err };
}

/** The one line of `--json`. */
function figures({ code, out, err }: Ran): unknown {
  assert.deepEqual([code, out.length], [0, 1], err.join("\n"));
  return JSON.parse(out[0] ?? "");
}

const spread = (of: unknown, name: string): void => {
  const { mean, sd } = of as { mean?: unknown; sd?: unknown };
  assert.deepEqual([typeof mean, typeof sd], ["number", "number"], `${name} is ${JSON.stringify(of)}`);
};

const bpfOf = (of: unknown): Record<string, unknown> =>
  (of as { policies: { bpf: Record<string, unknown> } }).policies.bpf;

test("placement prints unallocated GPUs, refusals and times of each policy, and draws them", async () => {
  const plot = join(folder, "plot.svg");
  const flags = ["--policies", "bpf,fgd", "--seeds", "42,43", "--learn", "--json", "--plot", plot];
  const ran = await bench("placement", ...traces, ...flags);
  const { policies } = figures(ran) as { policies: Record<string, Record<string, unknown>> };
  assert.deepEqual(Object.keys(policies), ["bpf", "fgd"]);
  for (const [policy, { u100, u130, f95, usPerDecision }] of Object.entries(policies)) {
    for (const [name, of] of Object.entries({ u100, u130, f95 })) spread(of, `${policy} ${name}`);
    const { p50, p99 } = usPerDecision as { p50: number; p99: number };
    assert.ok(p50 > 0 && p99 >= p50);
  }
  assert.match(ran.err.join("\n"), /^bpf .*\nfgd /);
  const svg = readFileSync(plot, "utf8");
  for (const shown of ["bpf", "fgd", "floor", "</svg>"])
    assert.ok(svg.includes(shown), `the plot shows ${shown}`);
});

test("placement-churn prints allocated and rejected demand and moves, or waiting times when the trace is replayed", async () => {
  const policy = ["--policies", "bpf", "--seeds", "42", "--json"];
  const churn = [
    "--load",
    "0.95",
    "--moves",
    "4",
    "--movable",
    "0.5",
    "--arrivals",
    "400",
    "--warm-up",
    "100",
  ];
  const bpf = bpfOf(figures(await bench("placement-churn", ...traces, ...policy, ...churn)));
  for (const name of ["allocatedPct", "rejectedDemandPct", "bigRejectedPct", "movesPer100"])
    spread(bpf[name], name);
  const waited = bpfOf(figures(await bench("placement-churn", ...traces, ...policy, "--lifetimes", "trace")));
  for (const name of ["waitSecondsP50", "waitSecondsP95"]) spread(waited[name], name);
});

test("placement-speed prints percentiles of one decision", async () => {
  const ran = await bench(
    "placement-speed",
    "--nodes",
    "20",
    "--decisions",
    "200",
    "--no-end-to-end",
    "--json",
  );
  const { p50, p99, p999 } = (figures(ran) as { usPerDecision: { p50: number; p99: number; p999: number } })
    .usPerDecision;
  assert.ok(p50 > 0 && p99 >= p50 && p999 >= p99);
});

test("without --json a table tells the figures of each policy, and the floor", async () => {
  const small = ["--policies", "bpf,fgd", "--seeds", "42"];
  for (const [args, says] of [
    [["placement", ...traces, ...small], /^POLICY +U100 % .*\nbpf +\d.*\nfgd +\d.*\nfloor +\d+\.\d\d /],
    [
      ["placement-churn", ...traces, ...small, "--arrivals", "400", "--warm-up", "100"],
      /^POLICY +allocatedPct .*\nbpf .*\nfgd .*\nfloor \d/,
    ],
    [
      ["placement-churn", ...traces, ...small, "--lifetimes", "trace"],
      /^POLICY +waitSecondsP50 .*\nbpf .*\nfgd .*\nfloor \d/,
    ],
    [
      ["placement-speed", "--nodes", "20", "--decisions", "200", "--no-end-to-end"],
      /^POLICY +NODES .*\nbpf +20 /,
    ],
  ] as const) {
    const { code, out, err } = await bench(...args);
    assert.equal(code, 0, err.join("\n"));
    assert.match(out.join("\n"), says);
  }
});

test("each bench draws its chart, as PNG too", async () => {
  const small = ["--policies", "bpf", "--seeds", "42", "--json"];
  for (const [i, args] of [
    ["placement-churn", ...traces, ...small, "--arrivals", "400", "--warm-up", "100"],
    ["placement-churn", ...traces, ...small, "--lifetimes", "trace"],
    ["placement-speed", "--nodes", "20", "--decisions", "200", "--no-end-to-end", "--json"],
  ].entries()) {
    const plot = join(folder, `plot${i}.png`);
    figures(await bench(...args, "--plot", plot));
    assert.equal(readFileSync(plot).toString("latin1", 1, 4), "PNG");
  }
});

for (const [name, args, code, says] of [
  [
    "a malformed list",
    ["placement", "--nodes", nodes, "--pods", file("bad.csv", podHeader, pod(0), "p1,-4,8192,1,1000,,1,2")],
    1,
    /^voda: bench placement: \S+bad\.csv: line 3: cpu_milli -4 is not from 0 to 2147483647$/,
  ],
  [
    "an unknown flag",
    ["placement", ...traces, "--fast"],
    2,
    /^voda: bench placement: Unknown option '--fast'/,
  ],
  [
    "a missing flag",
    ["placement-churn", "--nodes", nodes],
    2,
    /^voda: bench placement-churn: --pods is missing: /,
  ],
  [
    "an unknown policy",
    ["placement", ...traces, "--policies", "luck"],
    2,
    /--policies: "luck" is none of bpf, fgd, /,
  ],
  [
    "a policy that is there twice",
    ["placement", ...traces, "--policies", "bpf,bpf"],
    2,
    /--policies: bpf is there twice$/,
  ],
  [
    "a negative load",
    ["placement-churn", ...traces, "--load", "-1"],
    2,
    /--load "-1" is not a number from 0\.01 to 10$/,
  ],
  [
    "moves in a replay",
    ["placement-churn", ...traces, "--lifetimes", "trace", "--moves", "4"],
    2,
    /a replay moves nothing$/,
  ],
  [
    "a replay of a list without times",
    [
      "placement-churn",
      "--nodes",
      nodes,
      "--pods",
      file("timeless.csv", podHeader, "p,1,1,1,500,,1,"),
      "--lifetimes",
      "trace",
    ],
    1,
    /timeless\.csv: line 2: pod p has no deletion_time, which --lifetimes trace needs$/,
  ],
  [
    "a chart of a kind that is not drawn",
    ["placement", ...traces, "--plot", "a.pdf"],
    2,
    /a\.pdf ends in neither \.svg nor \.png$/,
  ],
  [
    "no decisions",
    ["placement-speed", "--no-end-to-end", "--decisions", "0"],
    2,
    /--decisions "0" is not a whole number of 2 to 1000000$/,
  ],
  [
    "one list of two for the speed",
    ["placement-speed", "--no-end-to-end", "--node-list", pods],
    1,
    /column sn is missing/,
  ],
  [
    "a rate that is none",
    ["placement-speed", "--rate", "0"],
    2,
    /whole number of 1 to 20000; see `npx voda bench placement-speed --help`$/,
  ],
  [
    "a file that is not there",
    ["placement", "--nodes", "none.csv", "--pods", pods],
    2,
    /none\.csv cannot be read: ENOENT/,
  ],
  [
    "more nodes than the limit",
    ["placement-speed", "--nodes", "1000000", "--no-end-to-end"],
    2,
    /--nodes "1000000" is not a whole number of 1 to \d+$/,
  ],
  [
    "more sessions than fit",
    ["placement-speed", "--seconds", "600"],
    2,
    /needs \d+ sessions; sessionsMax is 14400$/,
  ],
] as const) {
  test(`${name} is one line on standard error and exit code ${code}`, async () => {
    const ran = await bench(...args);
    assert.deepEqual([ran.code, ran.out, ran.err.length], [code, [], 1], ran.err.join("\n"));
    assert.match(ran.err[0] ?? "", says);
  });
}

test("with --json a failure is one JSON value on standard output too", async () => {
  const { code, out, err } = await bench("placement", ...traces, "--policies", "luck", "--json");
  const [line = ""] = err;
  assert.equal(code, 2);
  assert.deepEqual(
    out.map((one) => JSON.parse(one)),
    [{ error: { message: line.replace("voda: ", ""), exitCode: 2 } }],
  );
});

test("the help of each tells its flags", async () => {
  for (const [name, flag] of [
    ["placement", "--learn"],
    ["placement-churn", "--lifetimes"],
    ["placement-speed", "--end-to-end"],
  ] as const) {
    const { code, out } = await bench(name, "--help");
    assert.equal(code, 0);
    for (const shown of [flag, "--seeds", "--plot", "--json"])
      assert.ok(out.join("\n").includes(shown), `${name} ${shown}`);
  }
});

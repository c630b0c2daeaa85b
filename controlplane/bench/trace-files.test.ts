import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { seedsOf } from "@voda/stdx/bench";
import { plotOf } from "./plot-file.ts";
import { policiesOf, readNodes, readPods } from "./trace-files.ts";
import { unplaceable } from "./unplaceable.ts";

const folder = mkdtempSync(join(tmpdir(), "voda-lists-"));
after(() => rmSync(folder, { recursive: true }));
const file = (name: string, content: string | Buffer): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

const nodeHeader = "sn,cpu_milli,memory_mib,gpu,model";
const podHeader = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec";
const message = (says: RegExp) => (error: Error) => says.test(error.message) && !error.message.includes("\n");

test("a list that is not UTF-8 is refused by its first bad line, whatever else it is", () => {
  const bad = Buffer.concat([
    Buffer.from(`${nodeHeader}\nn0,1,1,1,A\nn`),
    Buffer.from([0xff]),
    Buffer.from("1,1,1,1,A\n"),
  ]);
  assert.throws(() => readNodes(file("bad.csv", bad)), message(/bad\.csv: line 3: is not UTF-8 text$/));
  const wide = Buffer.from(`\uFEFF${nodeHeader}\n`, "utf16le");
  assert.throws(() => readNodes(file("wide.csv", wide)), message(/wide\.csv: line 1: is not UTF-8 text$/));
});

test("a list without end, a folder and a file that is not there are refused", () => {
  assert.throws(
    () => readNodes("/dev/zero"),
    message(/^\/dev\/zero: is longer than listBytesMax 268435456$/),
  );
  assert.throws(() => readNodes(folder), message(/cannot be read: EISDIR/));
  assert.throws(() => readNodes(join(folder, "none.csv")), message(/none\.csv cannot be read: ENOENT/));
});

test("lists without GPUs and lists with more models than a pool takes are refused", () => {
  assert.throws(
    () => readNodes(file("cpu.csv", `${nodeHeader}\nn0,1,1,0,\n`)),
    message(/cpu\.csv: no node has a GPU to place on/),
  );
  assert.throws(
    () => readPods(file("p.csv", `${podHeader}\np,1,1,0,0,\n`)),
    message(/p\.csv: no pod asks for a GPU/),
  );
  const models = Array.from({ length: 31 }, (_, i) => `n${i},1,1,1,M${i}\n`).join("");
  assert.throws(
    () => readNodes(file("models.csv", `${nodeHeader}\n${models}`)),
    message(/models\.csv: 31 GPU models exceed modelsMax 30$/),
  );
});

test("what no empty node takes is counted by what it lacks", () => {
  const nodes = readNodes(file("n.csv", `${nodeHeader}\nn0,8000,8192,2,A\nn1,8000,8192,8,B\n`));
  const rows = [
    "a,1,1,1,500,",
    "b,1,1,9,1000,",
    "c,1,1,9,1000,",
    "d,1,1,1,1000,NONE",
    "e,1,9000,1,1000,A",
    "f,1,1,8,1000,A",
  ];
  const pods = readPods(file("pods.csv", `${podHeader}\n${rows.join("\n")}\n`));
  assert.deepEqual(unplaceable({ nodes, pods }), [
    "5 of 6 pods fit on no node, even an empty one (9 GPUs on one node: 2, no GPU of model NONE: 1, " +
      "CPU or memory beside the GPUs: 1, 8 GPUs on one node: 1); they are refused",
  ]);
  assert.deepEqual(unplaceable({ nodes, pods: pods.slice(0, 1) }), []);
});

test("empty and repeated policies and seeds are refused", () => {
  assert.throws(() => policiesOf({ policies: "" }), message(/^--policies is empty; give at least one$/));
  assert.throws(() => policiesOf({ policies: "bpf,fgd,bpf" }), message(/^--policies: bpf is there twice$/));
  assert.throws(() => seedsOf({ seeds: "1,2,1" }), message(/^--seeds: 1 is there twice$/));
  assert.throws(
    () => seedsOf({ seeds: "9999999999" }),
    message(/is not a seed; give whole numbers of at most 9 digits/),
  );
  assert.deepEqual(policiesOf({ policies: "bpf, fgd" }), ["bpf", "fgd"]);
});

test("a chart that could not be written is refused before the run", () => {
  assert.throws(
    () => plotOf({ plot: "chart.pdf" }),
    message(/^--plot chart\.pdf ends in neither \.svg nor \.png$/),
  );
  assert.throws(
    () => plotOf({ plot: join(folder, "none", "a.svg") }),
    message(/a\.svg cannot be written: ENOENT/),
  );
  mkdirSync(join(folder, "taken.svg"));
  assert.throws(() => plotOf({ plot: join(folder, "taken.svg") }), message(/taken\.svg is a folder$/));
  plotOf({ plot: "" }).draw({ title: "", xLabel: "", yLabel: "", lines: [] });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseNodes, parsePods } from "./openb.ts";

const nodeHeader = "sn,cpu_milli,memory_mib,gpu,model";
const podHeader =
  "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time";

test("a node list gives nodes with their GPUs", () => {
  const [first, second] = parseNodes(
    `${nodeHeader}\r\nn0,64000,262144,2,P100\r\nn1,32000,1024,0,\r\n`,
    "nodes.csv",
  );
  assert.deepEqual(
    first?.gpus.map(({ uuid, model }) => [uuid, model]),
    [
      ["n0-0", "P100"],
      ["n0-1", "P100"],
    ],
  );
  assert.deepEqual([second?.cpuMilli, second?.memoryMib, second?.gpus.length], [32_000, 1024, 0]);
});

test("a pod list gives pods with models and times, with five columns too", () => {
  const [pod] = parsePods(`${podHeader}\np,4000,8192,1,460,G2|P100,LS,Running,10,30,10\n`, "pods.csv");
  assert.deepEqual(
    [pod?.gpuMilli, pod?.models, pod?.createdAt, pod?.deletedAt],
    [460, ["G2", "P100"], 10, 30],
  );
  const [short] = parsePods("name,cpu_milli,memory_mib,num_gpu,gpu_milli\np,4000,8192,8,1000\n", "pods.csv");
  assert.deepEqual([short?.gpuCount, short?.models, short?.createdAt], [8, [], undefined]);
});

for (const [row, message] of [
  ["p,4000,8192,1,460,,LS,Running,10,30", "pods.csv: line 2: 10 fields where the header has 11"],
  ["p,-1,8192,1,460,,LS,Running,10,30,10", "pods.csv: line 2: cpu_milli -1 is not from 0 to 2147483647"],
  [
    "p,many,8192,1,460,,LS,Running,10,30,10",
    'pods.csv: line 2: cpu_milli "many" is not a whole number from 0 to 2147483647',
  ],
  [
    "p,1e3,8192,1,460,,LS,Running,10,30,10",
    'pods.csv: line 2: cpu_milli "1e3" is not a whole number from 0 to 2147483647',
  ],
  [
    "p,4000,,1,460,,LS,Running,10,30,10",
    'pods.csv: line 2: memory_mib "" is not a whole number from 0 to 2147483647',
  ],
  ["p,4000,8192,1,1001,,LS,Running,10,30,10", "pods.csv: line 2: gpu_milli 1001 is not from 0 to 1000"],
  [
    "p,4000,8192,2,500,,LS,Running,10,30,10",
    "pods.csv: line 2: gpu_milli is 500 with num_gpu 2: a fraction is of one GPU",
  ],
  ["p,4000,8192,1,0,,LS,Running,10,30,10", "pods.csv: line 2: gpu_milli is 0 with num_gpu 1"],
  ["p,4000,8192,1,460,,LS,Running,30,10,10", "pods.csv: line 2: deletion_time 10 is before creation_time 30"],
  [",4000,8192,1,460,,LS,Running,10,30,10", "pods.csv: line 2: name is empty"],
  [
    "p,NaN,8192,1,460,,LS,Running,10,30,10",
    'pods.csv: line 2: cpu_milli "NaN" is not a whole number from 0 to 2147483647',
  ],
  [
    "p,4000,9007199254740993,1,460,,LS,Running,10,30,10",
    "pods.csv: line 2: memory_mib 9007199254740993 is not from 0 to 2147483647",
  ],
  [
    "p,4000,8192,0.5,500,,LS,Running,10,30,10",
    'pods.csv: line 2: num_gpu "0.5" is not a whole number from 0 to 1024',
  ],
  [
    "p\u0000,4000,8192,1,460,,LS,Running,10,30,10",
    "pods.csv: line 2: has the control character U+0000; the list must be text",
  ],
  ["", "pods.csv: line 2 is empty"],
  [
    'p"q",4000,8192,1,460,,LS,Running,10,30,10',
    'pods.csv: line 2: "p\\"q\\"" has a quote that does not enclose the whole field',
  ],
] as const) {
  test(`a pod list with the row ${row} is refused by line and field`, () => {
    assert.throws(() => parsePods(`${podHeader}\n${row}\nq,1,1,1,1000,,LS,Running,1,2,1\n`, "pods.csv"), {
      name: "TraceError",
      message,
    });
  });
}

test("a list without a column, without rows or with a name twice is refused", () => {
  assert.throws(() => parseNodes("sn,cpu_milli\n", "n.csv"), {
    message: 'n.csv: line 1: the column memory_mib is missing; the line is "sn,cpu_milli"',
  });
  assert.throws(() => parseNodes(`${nodeHeader}\n`, "n.csv"), {
    message: "n.csv: has a header and no nodes",
  });
  const needed = "name, cpu_milli, memory_mib, num_gpu, gpu_milli";
  assert.throws(() => parsePods("", "p.csv"), {
    message: `p.csv: is empty; its first line must have the columns ${needed}`,
  });
  assert.throws(() => parseNodes(`${nodeHeader},gpu\nn0,1,1,1,P100,2`, "n.csv"), {
    message: 'n.csv: line 1: the column "gpu" is there twice',
  });
  const twice = `${nodeHeader}\nn0,64000,262144,2,P100\nn0,64000,262144,2,P100`;
  assert.throws(() => parseNodes(twice, "n.csv"), {
    message: 'n.csv: line 3: sn "n0" is in an earlier line too',
  });
  assert.throws(() => parseNodes(`${nodeHeader}\nn0,64000,262144,17,P100`, "n.csv"), {
    message: "n.csv: line 2: gpu 17 is not from 0 to 16",
  });
});

test("quotes, spaces around fields, a byte order mark and any end of line do not change what a list says", () => {
  const plain = parseNodes(`${nodeHeader}\nn0,64000,262144,2,P100\nn1,32000,1024,0,`, "n.csv");
  for (const written of [
    `\uFEFF${nodeHeader}\r\nn0,64000,262144,2,P100\r\nn1,32000,1024,0,\r\n`,
    `${nodeHeader}\rn0,64000,262144,2,P100\rn1,32000,1024,0,\r`,
    '"sn","cpu_milli","memory_mib","gpu","model"\n"n0","64000","262144","2","P100"\n"n1",32000,"1024",0,""',
    "sn, cpu_milli, memory_mib, gpu, model \n n0, 64000.0, 262144, 2, P100\nn1,32000,1024,0,",
  ]) {
    assert.deepEqual(parseNodes(written, "n.csv"), plain, JSON.stringify(written));
  }
  const [node] = parseNodes(`${nodeHeader}\n"n ""a"", 0",1,1,1,P100`, "n.csv");
  assert.equal(node?.id, 'n "a", 0');
});

test("a line without end is refused by its length, and long values are not repeated whole", () => {
  assert.throws(() => parseNodes(`${nodeHeader}\nn0,${"9".repeat(100_000)},1,1,P100`, "n.csv"), {
    message: "n.csv: line 2: 100012 characters exceed lineCharsMax 65536",
  });
  assert.throws(
    () => parseNodes(`${nodeHeader}\nn0,${"9".repeat(1000)},1,1,P100`, "n.csv"),
    ({ message }: Error) => message.startsWith("n.csv: line 2: cpu_milli 999") && message.length < 160,
  );
});

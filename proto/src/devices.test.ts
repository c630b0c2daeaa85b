import assert from "node:assert/strict";
import { test } from "node:test";
import { readDevices } from "./devices.ts";

const declared = { uuid: "GPU-1", model: "H200", memoryMib: 143_771, vendor: "nvidia" };

test("a file declares devices, with a byte order mark or without", () => {
  for (const mark of ["", "\uFEFF"])
    assert.deepEqual(readDevices(`${mark}${JSON.stringify([declared])}`), [declared]);
});

test("what is wrong in a file is refused by entry and field", () => {
  const second = (entry: unknown): string => JSON.stringify([declared, entry]);
  for (const [text, says] of [
    [second({ ...declared, vendor: "intel" }), 'entry 2: vendor must be "nvidia" or "amd": "intel"'],
    [second({ ...declared, memoryMib: "80 GB" }), 'entry 2: memoryMib must be a number: "80 GB"'],
    [second({ ...declared, memoryMib: -1 }), "entry 2: memoryMib is not 1 to gpuMemoryMibMax 16777216: -1"],
    [
      second({ ...declared, memory: 1 }),
      "entry 2: memory is no field; there are uuid, model, memoryMib, vendor",
    ],
    [second({}), "entry 2: uuid is missing"],
    [second(["GPU-1"]), 'entry 2: it is not an object of uuid, model, memoryMib, vendor: ["GPU-1"]'],
    [second({ ...declared, model: "" }), "entry 2: model is empty"],
    [second({ ...declared, uuid: "a,b" }), 'entry 2: uuid is not made of letters, digits and ._:- : "a,b"'],
    [second(declared), 'two GPUs have the uuid "GPU-1"; each has its own'],
    ["{}", "it is not a list of GPUs"],
  ] as const)
    assert.throws(() => readDevices(text), { name: "RangeError", message: says });
  assert.throws(() => readDevices("uuid,model\n"), /^RangeError: it is no JSON: /);
});

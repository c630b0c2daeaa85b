import assert from "node:assert/strict";
import { test } from "node:test";
import type { Device } from "@voda/proto/devices";
import { gpusPerNodeMax } from "@voda/proto/placement";
import { parseAmdSmi } from "./amd-smi.ts";
import { DevicesError, partOf } from "./device.ts";
import { parseNvidiaSmi } from "./nvidia-smi.ts";

const refused = (parse: () => unknown, message: RegExp): void => {
  assert.throws(parse, (error: unknown) => {
    assert.ok(error instanceof DevicesError);
    assert.match(error.message, message);
    return true;
  });
};

const two = `GPU-3b8e1c4e-6a53-9f0d-2c1b-0a9d8e7f6c5b, NVIDIA H200, 143771
GPU-b50e2ed7-18d4-6d23-f1ee-5c3a6f9e7a10, NVIDIA A100-SXM4-80GB, 81920
`;

test("nvidia-smi's lines become devices in their order", () => {
  assert.deepEqual(parseNvidiaSmi(two), [
    {
      uuid: "GPU-3b8e1c4e-6a53-9f0d-2c1b-0a9d8e7f6c5b",
      model: "NVIDIA H200",
      memoryMib: 143_771,
      vendor: "nvidia",
    },
    {
      uuid: "GPU-b50e2ed7-18d4-6d23-f1ee-5c3a6f9e7a10",
      model: "NVIDIA A100-SXM4-80GB",
      memoryMib: 81_920,
      vendor: "nvidia",
    },
  ]);
  assert.deepEqual(parseNvidiaSmi(two.replaceAll("\n", "\r\n")), parseNvidiaSmi(two));
});

test("no GPU is no device and no error", () => {
  assert.deepEqual(parseNvidiaSmi("No devices were found\n"), []);
  assert.deepEqual(parseNvidiaSmi(""), []);
  assert.deepEqual(parseAmdSmi("[]"), []);
});

test("what nvidia-smi should not print is refused by line and field", () => {
  refused(
    () => parseNvidiaSmi(`${two}GPU-1, NVIDIA GB10, [N/A]\n`),
    /^nvidia-smi, line 3: memory.total is no number of MiB: "\[N\/A\]"/,
  );
  refused(() => parseNvidiaSmi("GPU-1, H200\n"), /^nvidia-smi, line 1: 2 of 3 fields/);
  refused(() => parseNvidiaSmi("a b, H200, 5\n"), /^nvidia-smi, line 1: uuid is not made of letters/);
  refused(() => parseNvidiaSmi("GPU-1, , 5\n"), /^nvidia-smi, line 1: model is empty/);
  refused(
    () => parseNvidiaSmi("GPU-1, H200, 0\n"),
    /^nvidia-smi, line 1: memoryMib is not 1 to gpuMemoryMibMax 16777216: 0/,
  );
  refused(
    () => parseNvidiaSmi(`GPU-${"1".repeat(60)}, H200, 5\n`),
    /uuid of 64 characters exceeds uuidCharactersMax 48/,
  );
  refused(
    () => parseNvidiaSmi("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n"),
    /^nvidia-smi, line 1: 1 of 3 fields/,
  );
});

const amd = (more: object = {}) => ({
  gpu: 0,
  asic: {
    market_name: "AMD Instinct MI300X",
    vendor_id: "0x1002",
    asic_serial: "0x9C8A7F3B2D1E0F4",
    num_compute_units: 304,
  },
  vram: { type: "HBM", vendor: "HYNIX", size: { value: 196_592, unit: "MB" } },
  ...more,
});

test("amd-smi's list, bare or wrapped, becomes devices under the names that ROCR_VISIBLE_DEVICES takes", () => {
  const device = {
    uuid: "GPU-09c8a7f3b2d1e0f4",
    model: "AMD Instinct MI300X",
    memoryMib: 196_592,
    vendor: "amd",
  };
  assert.deepEqual(parseAmdSmi(JSON.stringify([amd()])), [device]);
  assert.deepEqual(parseAmdSmi(JSON.stringify({ gpu_data: [amd()] })), [device]);
});

test("what amd-smi should not print is refused by GPU and field", () => {
  refused(() => parseAmdSmi("Error: no driver"), /^amd-smi: the output is no JSON: "Error: no driver"/);
  refused(() => parseAmdSmi("{}"), /neither a list of GPUs nor has one in gpu_data/);
  refused(() => parseAmdSmi(JSON.stringify([amd(), amd({ vram: "N/A" })])), /^amd-smi, GPU 1: vram/);
  refused(
    () => parseAmdSmi(JSON.stringify([amd({ asic: { market_name: "MI300X", asic_serial: "N/A" } })])),
    /^amd-smi, GPU 0: asic.asic_serial: is no hexadecimal id/,
  );
});

const devices = (count: number): Device[] =>
  Array.from({ length: count }, (_, i) => ({
    uuid: `GPU-${i}`,
    model: "H200",
    memoryMib: 1000,
    vendor: "nvidia",
  }));

test("a node has no two GPUs of one id, and no more than a grant can name", () => {
  const all = { index: 0, count: 1 };
  assert.equal(partOf(devices(gpusPerNodeMax), all).length, gpusPerNodeMax);
  refused(() => partOf(devices(gpusPerNodeMax + 1), all), /17 GPUs exceed gpusPerNodeMax 16/);
  assert.equal(partOf(devices(2 * gpusPerNodeMax), { index: 1, count: 2 }).length, gpusPerNodeMax);
  refused(() => partOf([...devices(1), ...devices(1)], all), /two GPUs have the uuid "GPU-0"/);
});

test("the nodes of one machine share its GPUs without overlap", () => {
  const parts = [0, 1, 2].map((index) => partOf(devices(8), { index, count: 3 }).map(({ uuid }) => uuid));
  assert.deepEqual(
    parts.map((part) => part.length),
    [3, 3, 2],
  );
  assert.equal(new Set(parts.flat()).size, 8);
});

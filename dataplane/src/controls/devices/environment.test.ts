import assert from "node:assert/strict";
import { test } from "node:test";
import type { Device } from "@voda/proto/devices";
import { deviceEnvironment } from "./environment.ts";

const device = (uuid: string, vendor: Device["vendor"] = "nvidia"): Device => ({
  uuid,
  model: "X",
  memoryMib: 80_000,
  vendor,
});
const devices = [device("GPU-a"), device("GPU-b"), device("GPU-c", "amd")];
const whole = (uuid: string) => ({ uuid, whole: true, milli: 1000, memoryMib: 80_000 });

test("a whole GPU is named by its id and has no limits", () => {
  assert.deepEqual(deviceEnvironment(devices, [whole("GPU-b"), whole("GPU-a")]), {
    CUDA_VISIBLE_DEVICES: "GPU-b,GPU-a",
    ROCR_VISIBLE_DEVICES: "",
  });
});

test("a fraction is limited by MPS: threads rounded down, memory by position", () => {
  assert.deepEqual(
    deviceEnvironment(devices, [{ uuid: "GPU-b", whole: false, milli: 255, memoryMib: 1000 }]),
    {
      CUDA_VISIBLE_DEVICES: "GPU-b",
      ROCR_VISIBLE_DEVICES: "",
      CUDA_MPS_ACTIVE_THREAD_PERCENTAGE: "25",
      CUDA_MPS_PINNED_DEVICE_MEM_LIMIT: "0=1000M",
    },
  );
  const sliver = deviceEnvironment(devices, [{ uuid: "GPU-a", whole: false, milli: 3, memoryMib: 1 }]);
  assert.equal(sliver["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"], "1");
});

test("a device of the other vendor is named for its own runtime only", () => {
  assert.deepEqual(deviceEnvironment(devices, [whole("GPU-c")]), {
    CUDA_VISIBLE_DEVICES: "",
    ROCR_VISIBLE_DEVICES: "GPU-c",
  });
});

test("without devices none is visible", () => {
  assert.deepEqual(deviceEnvironment(devices, []), { CUDA_VISIBLE_DEVICES: "", ROCR_VISIBLE_DEVICES: "" });
});

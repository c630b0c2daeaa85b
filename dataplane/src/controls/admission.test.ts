import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Agent, AgentSchema, Isolation, type ResourcesSchema } from "@voda/proto/api";
import type { DeviceShare } from "@voda/proto/grant";
import { type Admission, createAdmission } from "./admission.ts";
import { createDeviceBooks } from "./devices/index.ts";

const half: DeviceShare = { uuid: "a", whole: false, milli: 500, memoryMib: 100 };
const open = (): Admission =>
  createAdmission(
    { cpuMilli: 1000, memoryMib: 1024, diskMib: 4096 },
    createDeviceBooks([{ uuid: "a", model: "X", memoryMib: 1000, vendor: "nvidia" }]),
  );
const agent = (resources: MessageInitShape<typeof ResourcesSchema>): Agent =>
  create(AgentSchema, { name: "model", resources });
const onGpu = agent({ gpuMilli: 500, cpuMilli: 400 });

function problem(admission: Admission, of: Agent, granted?: readonly DeviceShare[]): string | undefined {
  const admitted = admission.admit(of, granted);
  return "failure" in admitted ? admitted.failure.message : undefined;
}

test("CPU and memory are given until they are used up, and again when they are released", () => {
  const admission = open();
  const small = agent({ cpuMilli: 600, memoryMib: 1 });
  assert.equal(problem(admission, small), undefined);
  assert.match(problem(admission, small) ?? "", /takes 600 thousandths of a core does not fit: 600 of 1000/);
  admission.release(small, []);
  assert.equal(problem(admission, small), undefined);
  const refused = admission.admit(small, undefined);
  assert.ok(
    "failure" in refused &&
      refused.failure.reason === "no_capacity" &&
      (refused.failure.retryAfterMs ?? 0) > 0,
  );
  assert.match(
    problem(admission, agent({ memoryMib: 1024 })) ?? "",
    /takes 1024 MiB does not fit: 1 of 1024/,
  );
});

test("disk is given until it is used up, and again when it is released", () => {
  const admission = open();
  const large = agent({ diskMib: 3000 });
  assert.equal(problem(admission, large), undefined);
  assert.match(problem(admission, large) ?? "", /takes 3000 MiB of disk does not fit: 3000 of 4096/);
  admission.release(large, []);
  assert.equal(problem(admission, large), undefined);
});

test("a session that needs a GPU opens only with a grant that names one", () => {
  const admission = open();
  for (const granted of [undefined, []])
    assert.match(
      problem(admission, onGpu, granted) ?? "",
      /needs a GPU, which only a placement of the control plane gives/,
    );
  assert.match(problem(admission, agent({ gpuMemoryMib: 10 })) ?? "", /needs a GPU/);
  assert.deepEqual(admission.admit(onGpu, [half]), { devices: [half] });
});

test("what does not fit on a device is refused and takes nothing", () => {
  const admission = open();
  assert.deepEqual(admission.admit(onGpu, [half]), { devices: [half] });
  assert.match(
    problem(admission, onGpu, [{ ...half, milli: 501 }]) ?? "",
    /^agent model needs a GPU: 501 thousandths of GPU a do not fit/,
  );
  assert.deepEqual(admission.admit(onGpu, [half]), { devices: [half] });
  // The third lacks CPU: its share is not taken either.
  admission.release(onGpu, [half]);
  assert.match(
    problem(admission, agent({ gpuMilli: 500, cpuMilli: 700 }), [half]) ?? "",
    /thousandths of a core/,
  );
  assert.deepEqual(admission.admit(onGpu, [half]), { devices: [half] });
});

test("a session without needs always fits", () => {
  const admission = open();
  assert.equal(problem(admission, agent({ cpuMilli: 1000, memoryMib: 1024 })), undefined);
  assert.equal(problem(admission, create(AgentSchema, { name: "small" })), undefined);
});

test("a session that needs no GPU holds none, whatever its grant gives", () => {
  const admission = open();
  assert.deepEqual(admission.admit(agent({}), [half]), { devices: [] });
});

test("sessions share a device as the isolation of their agents allows", () => {
  const of = (namespace: string, isolation: Isolation): Agent =>
    create(AgentSchema, { name: "model", namespace, resources: { gpuMilli: 100 }, placement: { isolation } });
  const share: DeviceShare = { ...half, milli: 100 };
  /** Whether the second is admitted beside the first. */
  const beside = (first: Agent, second: Agent): boolean => {
    const admission = open();
    assert.equal(problem(admission, first, [share]), undefined);
    return problem(admission, second, [share]) === undefined;
  };
  const { UNSPECIFIED, SHARED, PROCESS, DEDICATED } = Isolation;
  assert.deepEqual(
    [
      beside(of("red", SHARED), of("blue", SHARED)),
      beside(of("red", PROCESS), of("red", UNSPECIFIED)),
      beside(of("red", PROCESS), of("blue", PROCESS)),
      beside(of("red", PROCESS), of("red", SHARED)),
      beside(of("red", DEDICATED), of("red", DEDICATED)),
      beside(of("red", DEDICATED), of("red", PROCESS)),
    ],
    [true, true, false, false, false, false],
  );
});

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Command } from "commander";
import { temporaryFolder } from "../../test/start.ts";
import { programFlags, withMeshFlags } from "./mesh-flags.ts";

const passed = (...args: readonly string[]): ReturnType<typeof programFlags> =>
  programFlags(withMeshFlags(new Command(), 2).parse(args, { from: "user" }).opts());

test("hosts and pages that may call are told to Envoy's control plane and to every node", () => {
  const flags = passed("--allow-host", "a.example,b.example", "--allow-origin", "https://app.example");
  const told = { "allow-host": "a.example,b.example", "allow-origin": "https://app.example" };
  assert.deepEqual(flags.controlplane, told);
  assert.deepEqual([flags.node(0), flags.node(1)], [told, told]);
});

test("what is not given is not passed on", () => {
  const flags = passed();
  assert.deepEqual([flags.controlplane, flags.node(0)], [{}, {}]);
});

test("a value that no program would take is refused by its flag's name before anything starts", () => {
  using folder = temporaryFolder();
  const gpu = { uuid: "GPU-1", model: "H200", memoryMib: 1000, vendor: "nvidia" };
  const gpus = (name: string, content: unknown): string => {
    const file = join(folder.path, `${name}.json`);
    writeFileSync(file, JSON.stringify(content));
    return file;
  };
  for (const [flag, value, says] of [
    ["--allow-host", "a.example,http://x", /"http:\/\/x" is not a host: write a name in lower case/],
    ["--allow-origin", "mesh", /"mesh" is not an origin: write scheme, host/],
    ["--placement-policy", "nope", /Allowed choices are bpf, fgd, bestFit, /],
    ["--gpus", join(folder.path, "none.json"), /ENOENT: no such file/],
    ["--gpus", gpus("object", {}), /it is not a list of GPUs/],
    [
      "--gpus",
      gpus("vendor", [gpu, { ...gpu, vendor: "NVIDIA" }]),
      /entry 2: vendor must be "nvidia" or "amd": "NVIDIA"/,
    ],
    ["--gpus", gpus("twice", [gpu, gpu]), /two GPUs have the uuid "GPU-1"; each has its own/],
  ] as const) {
    const command = withMeshFlags(new Command(), 2)
      .exitOverride()
      .configureOutput({ writeErr: () => undefined });
    assert.throws(
      () => command.parse([flag, value], { from: "user" }),
      (error: Error) => error.message.includes(`option '${flag} <`) && says.test(error.message),
      flag,
    );
  }
});

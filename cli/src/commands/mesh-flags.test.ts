import assert from "node:assert/strict";
import { test } from "node:test";
import { Command } from "commander";
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

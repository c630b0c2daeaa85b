import assert from "node:assert/strict";
import { test } from "node:test";
import { defineConfig } from "./config.ts";
import { agent } from "./index.ts";

const a = agent("a").handlers({ run: () => 1 });
const untyped = (value: unknown): never => value as never;

test("a config keeps its agents and is frozen", () => {
  const config = defineConfig({ agents: [a, agent("b")] });
  assert.deepEqual(
    config.agents.map((one) => one.name),
    ["a", "b"],
  );
  assert.ok(Object.isFrozen(config));
});

test("an unknown key, no agent, what is no agent and a name used twice are refused", () => {
  assert.throws(
    () => defineConfig(untyped({ agents: [a], listen: {} })),
    /config key "listen" is unknown; known are agents/,
  );
  assert.throws(() => defineConfig(untyped(undefined)), /^TypeError: defineConfig takes an object: /);
  assert.throws(() => defineConfig(untyped({})), /agents must be a list of at least one agent/);
  assert.throws(() => defineConfig({ agents: [] }), /agents must be a list of at least one agent/);
  assert.throws(
    () => defineConfig(untyped({ agents: [a, { name: "b" }] })),
    /agents\[1\] was not made by agent/,
  );
  assert.throws(() => defineConfig({ agents: [a, agent("a")] }), /two agents are named "a"/);
});

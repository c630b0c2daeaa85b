import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AgentSchema } from "@voda/proto/api";
import { sessionToken } from "@voda/proto/session";
import { createRig } from "../../test/lane-rig.ts";
import type { Hosted } from "./hosted.ts";
import { Waits, waitsLookedAtMax } from "./waits.ts";

/** Sessions, each with a turn that runs and asks. */
function waiting() {
  const { lane } = createRig().held();
  const hostedOf = (key: string): Hosted => {
    const name = { namespace: "default", agent: "a", key };
    return {
      token: sessionToken(name),
      name,
      agent: create(AgentSchema),
      lane,
      granted: undefined,
      devices: [],
      activation: undefined,
      epoch: 0,
      calls: 0,
      usedMs: 0,
      timers: new Map(),
      onCold: [],
      life: undefined,
    };
  };
  const seen = { waits: 0 };
  const waits = new Waits(() => {
    seen.waits += 1;
    return undefined;
  });
  let call = 1;
  const path = (from: string, to: string) => waits.path(hostedOf(from).token, hostedOf(to).token);
  /** The way round, where the ask would close a circle; else it is made. */
  const ask = (from: string, to: string): readonly string[] | undefined => {
    const circle = path(to, from);
    call += 1;
    if (circle === undefined) waits.add({ by: hostedOf(from), turn: 1, target: hostedOf(to), call });
    return circle;
  };
  return { waits, hostedOf, path, ask, seen };
}

test("the shortest way round is found, also where none was before", () => {
  const { ask } = waiting();
  assert.equal(ask("a", "b"), undefined);
  assert.equal(ask("a", "b"), undefined, "none yet");
  assert.equal(ask("b", "c"), undefined);
  assert.equal(ask("c", "d"), undefined);
  assert.deepEqual(ask("c", "a"), ["a/b", "a/c"]);
  assert.deepEqual(ask("d", "a"), ["a/b", "a/c", "a/d"]);
});

test("a turn that asks one session again and again looks once at what that waits for", () => {
  const { ask, seen } = waiting();
  for (let leaf = 0; leaf < 500; leaf += 1) ask("hub", `leaf${leaf}`);
  seen.waits = 0;
  for (let time = 0; time < 500; time += 1) for (const asker of ["x", "y"]) ask(asker, "hub");
  assert.equal(seen.waits, 2 * 500);
});

test("one search looks at waitsLookedAtMax waits, and no further", () => {
  const { ask, path, seen } = waiting();
  for (let leaf = 0; leaf < 2 * waitsLookedAtMax; leaf += 1) ask("hub", `leaf${leaf}`);
  seen.waits = 0;
  assert.equal(path("hub", "far"), undefined);
  assert.equal(seen.waits, waitsLookedAtMax);
});

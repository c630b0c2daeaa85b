import assert from "node:assert/strict";
import { test } from "node:test";
import { runInThisContext } from "node:vm";
import { sourceScheme } from "@voda/proto/wire";
import { agent } from "voda";
import { activationRig } from "../../test/activation-rig.ts";
import { NamedSessions, type TurnNames } from "./names.ts";

const asked = agent("asked").handlers({ add: (_ctx, by: number) => by });

/** `code`: of a handler `go`, which gets `asked` as its second parameter. */
function rigOf(code: string) {
  const go = runInThisContext(code, { filename: `${sourceScheme}probe.ts` }) as (...of: object[]) => null;
  return activationRig(
    agent("probe").handlers({ go: (ctx, times: number = 0) => go(ctx, asked, { times }) }),
  );
}

const doesNothing = (way: string): string =>
  `${way} does nothing: no handler of it was called, as in ${way}.method(...)`;

for (const [code, way, at] of [
  ['(ctx, asked) => void ctx.send(asked, "a")', 'ctx.send(asked, "a")', "probe.ts:1:26"],
  ['(ctx, asked) => void ctx.send(asked, "a").add', 'ctx.send(asked, "a")', "probe.ts:1:26"],
  ['async (ctx, asked) => void await ctx.ask(asked, "b")', 'ctx.ask(asked, "b")', "probe.ts:1:38"],
  ['(ctx) => void ctx.ask("asked", "b")', 'ctx.ask(?, "b")', "probe.ts:1:19"],
  [
    '(ctx, asked) => void ctx.schedule(asked, "c", { in: "1s" })',
    'ctx.schedule(asked, "c")',
    "probe.ts:1:26",
  ],
] as const)
  test(`${code} is told, with its place, once as long as the session is in memory`, async () => {
    const rig = rigOf(code);
    for (const times of [1, 2]) {
      const call = rig.run("go", times);
      await new Promise(setImmediate);
      assert.equal(rig.answerOf(call).ok, true);
    }
    assert.deepEqual(rig.logged, [doesNothing(way)]);
    assert.deepEqual(rig.facts, [{ level: "warn", at }]);
  });

test("a name that is used only sometimes is told where it is not, without a place once it was", async () => {
  const rig = rigOf(
    '(ctx, asked, { times }) => { const to = ctx.send(asked, "a"); while (times-- > 0) to.add(times); }',
  );
  rig.run("go", 2);
  rig.activation.askAnswered(rig.checks[0]?.askId ?? 0, {
    ok: true,
    content: "json",
    body: new Uint8Array(0),
  });
  await new Promise(setImmediate);
  assert.deepEqual(rig.logged, []);
  rig.run("go", 0);
  assert.deepEqual([rig.logged.length, rig.facts], [1, [{ level: "warn" }]]);
});

test("a loop that names a million sessions holds one of them", () => {
  const names = new NamedSessions();
  const turn: TurnNames = new Map();
  const [first, second] = ["a", "b"].map((key) => names.open(turn, "go", ["ctx.send", asked, key]));
  assert.equal(turn.size, 1);
  second?.();
  assert.equal(turn.size, 1, "the first one is still uncalled");
  first?.();
  assert.equal(turn.size, 0);
  names.open(turn, "go", ["ctx.send", asked, "c"]);
  assert.match([...names.uncalled(turn)][0]?.message ?? "", /^ctx\.send\(asked, "c"\) does nothing/);
});

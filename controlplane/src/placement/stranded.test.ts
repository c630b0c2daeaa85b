import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, fraction, node, none, whole } from "../../test/node-specs.ts";
import { Pool } from "./pool.ts";
import { Stranded } from "./stranded.ts";

const half = ask("half", fraction(500), { cores: 1 });
const quarter = ask("quarter", fraction(250), { cores: 1 });
const one = ask("one", whole(1), { cores: 1 });

test("free GPU time is stranded where nothing that is deployed fits", () => {
  const pool = new Pool({
    nodes: [node("a", { gpus: 2 }), node("b", { gpus: 1, cores: 0 }), node("c", { gpus: 1 })],
  });
  pool.setReady("c", false);
  pool.place({ ...half, session: "s" });
  const stranded = new Stranded(pool);
  assert.equal(stranded.milli([quarter]), 1000);
  assert.equal(stranded.milli([one]), 1500);
  assert.equal(stranded.milli([one, half]), 1000);
  assert.equal(stranded.milli([ask("plain", none)]), 2500);
  assert.equal(stranded.milli([]), 2500);
});

test("what is kept is what a fresh count counts, through sessions and nodes that come and go", () => {
  const pool = new Pool({});
  const kept = new Stranded(pool);
  const wanted = [half, one];
  for (let i = 0; i < 200; i++) {
    if (i % 5 === 0) pool.join(node(`n${i}`, { gpus: i % 4, cores: i % 3 === 0 ? 1 : 8 }));
    if (i % 35 === 34) pool.leave(`n${i - 34}`);
    if (i % 11 === 0) pool.setReady(`n${i - (i % 5)}`, i % 2 === 0);
    pool.place({ ...(i % 3 === 0 ? one : half), session: `s${i}` });
    if (i % 4 === 3) pool.release(`s${i - 3}`);
    assert.equal(kept.milli(wanted), new Stranded(pool).milli([...wanted]));
  }
});

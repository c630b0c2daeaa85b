import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { ByteReader, DecodeError } from "@voda/stdx";
import * as fc from "fast-check";
import { openState } from "../index.ts";
import { FlagField } from "./flag.ts";

const open = (pages?: readonly Uint8Array[]) => openState({ on: { kind: "flag" } }, { crc32 }, pages);

test("a flag is what was said last, in the transaction, views, replicas and after a reload", () => {
  const turn = fc.record({ says: fc.array(fc.boolean(), { maxLength: 4 }), commits: fc.boolean() });
  fc.assert(
    fc.property(fc.array(turn, { maxLength: 20, size: "max" }), (turns) => {
      const [live, replica] = [open(), open()];
      let committed: boolean = false;
      for (const { says, commits } of turns) {
        const view = live.view();
        const tx = live.begin();
        for (const on of says) {
          if (on) tx.state.on.enable();
          else tx.state.on.disable();
          assert.equal(tx.state.on.value, on);
        }
        const before: boolean = committed;
        const last: boolean = says.at(-1) ?? before;
        if (!commits) tx.rollback();
        else {
          const delta = tx.commit(1);
          assert.equal(delta === undefined, last === before, "a delta for a change, and only then");
          if (delta !== undefined) replica.apply(delta);
          committed = last;
        }
        assert.equal(view.state.on.value, before, "a view stays");
        view.close();
        for (const one of [live, replica, open(live.snapshot())])
          assert.equal(one.view().state.on.value, committed);
        assert.deepEqual(replica.snapshot(), live.snapshot());
      }
    }),
    { numRuns: 300 },
  );
});

test("a flag takes one byte in a delta and one in a page, none while it was never enabled", () => {
  const live = open();
  const empty = live.snapshot();
  const tx = live.begin();
  tx.state.on.enable();
  const delta = tx.commit(1);
  assert.equal(
    Buffer.from(delta ?? [])
      .subarray(16)
      .toString("hex"),
    "010101026f6e050101", // origin, seq, fields, "on", kind, block
  );
  assert.equal(empty.length, 1);
  assert.equal(live.snapshot().length, 2);
  const back = live.begin();
  back.state.on.disable();
  back.commit(1);
  assert.equal(live.snapshot().length, 1);
});

test("bytes that no flag writes are refused", () => {
  const field = new FlagField("on", 0);
  for (let byte = 2; byte < 256; byte += 1)
    assert.throws(() => field.decode(new ByteReader(Uint8Array.of(byte))), DecodeError);
  for (const bytes of [[], [0], [2], [1, 1]])
    assert.throws(() => field.load(Uint8Array.from(bytes)), DecodeError);
});

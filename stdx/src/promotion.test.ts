// What comes and goes at each call must die young, however old the table is that it was in.
import assert from "node:assert/strict";
import { test } from "node:test";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { LinkedList } from "./linked-list.ts";
import { NumberMap } from "./number-map.ts";

setFlagsFromString("--expose-gc");
const collectYoung = runInNewContext("() => gc({ type: 'minor' })") as () => void;
const oldBytes = (): number =>
  getHeapSpaceStatistics().find(({ space_name: name }) => name === "old_space")?.space_used_size ?? 0;

const [calls, atOnce, eachBytes] = [20_000, 64, 800];

/** What `calls` calls, `atOnce` at a time, leave in the old generation. `enter` returns how one leaves. */
function leftBytes(enter: (number: number, call: object) => () => void): number {
  const open: (() => void)[] = [];
  for (let i = 0; i < 3; i += 1) collectYoung(); // the empty table is old now, as after a start
  const before = oldBytes();
  for (let i = 0; i < calls; i += 1) {
    open.push(enter(i, { fields: new Array<number>(eachBytes / 8).fill(i) }));
    if (open.length > atOnce) open.shift()?.();
    if (i % 1_000 === 0) collectYoung();
  }
  return oldBytes() - before;
}

const boundBytes = 2 * atOnce * eachBytes * 10;

test("calls that have left a NumberMap or a LinkedList are not kept by what held them", () => {
  const map = new NumberMap<object>();
  const list = new LinkedList<object>();
  const byNumber = leftBytes((number, call) => {
    map.set(number, call);
    return () => map.delete(number);
  });
  const inOrder = leftBytes((_, call) => {
    const link = list.push(call);
    return () => list.remove(link);
  });
  assert.ok(byNumber < boundBytes, `${byNumber} bytes`);
  assert.ok(inOrder < boundBytes, `${inOrder} bytes`);
});

test("a Map keeps them: when it does not any more, it may be used again", () => {
  const map = new Map<number, object>();
  const left = leftBytes((number, call) => {
    map.set(number, call);
    return () => map.delete(number);
  });
  assert.ok(left > boundBytes, `${left} bytes`);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeviceShare } from "@voda/proto/grant";
import { createDeviceBooks } from "./device-books.ts";

const books = () =>
  createDeviceBooks([
    { uuid: "a", model: "X", memoryMib: 1000, vendor: "nvidia" },
    { uuid: "b", model: "X", memoryMib: 1000, vendor: "nvidia" },
  ]);
const part = (uuid: string, milli: number, memoryMib = 100): DeviceShare => ({ uuid, whole: false, milli, memoryMib });
const whole = (uuid: string): DeviceShare => ({ uuid, whole: true, milli: 1000, memoryMib: 1000 });

test("fractions share a device until its time or its memory is used up", () => {
  const one = books();
  assert.equal(one.take([part("a", 500)]), undefined);
  assert.equal(one.take([part("a", 501)]), "501 thousandths of GPU a do not fit: 500 of 1000 are taken");
  assert.equal(one.take([part("a", 100, 901)]), "901 MiB of GPU a do not fit: 100 of 1000 are taken");
  assert.equal(one.take([part("a", 500, 900)]), undefined);
});

test("whole and shared are never mixed on one device", () => {
  const one = books();
  assert.equal(one.take([whole("a")]), undefined);
  assert.equal(one.take([part("a", 1, 1)]), "GPU a is taken whole");
  assert.equal(one.take([part("b", 1, 1)]), undefined);
  assert.equal(one.take([whole("b")]), "GPU b is shared by 1 sessions, not free as a whole");
  one.give([part("b", 1, 1)]);
  assert.equal(one.take([whole("b")]), undefined);
});

test("several devices are taken all or not at all, and none twice", () => {
  const one = books();
  one.take([part("b", 1)]);
  assert.match(one.take([whole("a"), whole("b")]) ?? "", /GPU b is shared/);
  assert.match(one.take([whole("a"), whole("a")]) ?? "", /GPU a is taken whole/);
  assert.equal(one.take([whole("a")]), undefined);
});

test("what a node does not have, and amounts that are none, are not given", () => {
  assert.equal(books().take([whole("z")]), "this node has no GPU z");
  assert.equal(books().take([part("a", -1)]), "-1 thousandths of GPU a are no amount");
  assert.equal(books().take([part("a", 1, 0.5)]), "0.5 MiB of GPU a are no amount");
});

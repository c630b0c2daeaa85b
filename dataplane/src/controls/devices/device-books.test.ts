import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeviceShare } from "@voda/proto/grant";
import { createDeviceBooks } from "./device-books.ts";

const books = () =>
  createDeviceBooks([
    { uuid: "a", model: "X", memoryMib: 1000, vendor: "nvidia" },
    { uuid: "b", model: "X", memoryMib: 1000, vendor: "nvidia" },
  ]);
const part = (uuid: string, milli: number, memoryMib = 100): DeviceShare => ({
  uuid,
  whole: false,
  milli,
  memoryMib,
});
const whole = (uuid: string): DeviceShare => ({ uuid, whole: true, milli: 1000, memoryMib: 1000 });

test("fractions share a device until its time or its memory is used up", () => {
  const one = books();
  assert.equal(one.take([part("a", 500)], "t"), undefined);
  assert.equal(one.take([part("a", 501)], "t"), "501 thousandths of GPU a do not fit: 500 of 1000 are taken");
  assert.equal(one.take([part("a", 100, 901)], "t"), "901 MiB of GPU a do not fit: 100 of 1000 are taken");
  assert.equal(one.take([part("a", 500, 900)], "t"), undefined);
});

test("whole and shared are never mixed on one device", () => {
  const one = books();
  assert.equal(one.take([whole("a")], "t"), undefined);
  assert.equal(one.take([part("a", 1, 1)], "t"), "GPU a is taken whole");
  assert.equal(one.take([part("b", 1, 1)], "t"), undefined);
  assert.equal(one.take([whole("b")], "t"), "GPU b is shared by 1 sessions, not free as a whole");
  one.give([part("b", 1, 1)]);
  assert.equal(one.take([whole("b")], "t"), undefined);
});

test("several devices are taken all or not at all, and none twice", () => {
  const one = books();
  one.take([part("b", 1)], "t");
  assert.match(one.take([whole("a"), whole("b")], "t") ?? "", /GPU b is shared/);
  assert.match(one.take([whole("a"), whole("a")], "t") ?? "", /GPU a is taken whole/);
  assert.equal(one.take([whole("a")], "t"), undefined);
});

test("what a node does not have, and amounts that are none, are not given", () => {
  assert.equal(books().take([whole("z")], "t"), "this node has no GPU z");
  assert.equal(books().take([part("a", -1)], "t"), "-1 thousandths of GPU a are no amount");
  assert.equal(books().take([part("a", 1, 0.5)], "t"), "0.5 MiB of GPU a are no amount");
});

test("fractions of two tenants never share a device, until the last of the one has left it", () => {
  const one = books();
  assert.equal(one.take([part("a", 100)], "red"), undefined);
  assert.equal(one.take([part("a", 100)], "red"), undefined);
  assert.equal(
    one.take([part("a", 100)], "blue"),
    "GPU a is shared by 2 sessions that it may not be shared with",
  );
  assert.equal(one.take([part("b", 100)], "blue"), undefined);
  one.give([part("a", 100)]);
  assert.match(one.take([part("a", 100)], "blue") ?? "", /shared by 1 sessions/);
  one.give([part("a", 100)]);
  assert.equal(one.take([part("a", 100)], "blue"), undefined);
  assert.match(one.take([part("a", 100)], "red") ?? "", /shared by 1 sessions/);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { firstCronMs, nextCronMs } from "./cron.ts";

const next = (pattern: string, zone: string, after: string): string | undefined => {
  const ms = nextCronMs({ pattern, zone }, Date.parse(after));
  return ms === undefined ? undefined : new Date(ms).toISOString();
};

test("the next time is by the clocks of its zone, also when those are turned", () => {
  assert.equal(next("0 9 * * 1-5", "Europe/Berlin", "2026-11-27T08:00:00Z"), "2026-11-30T08:00:00.000Z");
  assert.equal(next("0 9 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z"), "2027-03-28T07:00:00.000Z");
  // at 02:30 on that night there is no time, and half a year later there are two
  assert.equal(next("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z"), "2027-03-28T01:00:00.000Z");
  assert.equal(next("30 2 * * *", "Europe/Berlin", "2027-10-30T12:00:00Z"), "2027-10-31T00:30:00.000Z");
  assert.equal(next("30 2 * * *", "Europe/Berlin", "2027-10-31T00:30:00Z"), "2027-11-01T01:30:00.000Z");
});

test("seconds and leap days are known, and a pattern may have no time left", () => {
  assert.equal(next("*/10 * * * * *", "UTC", "2026-11-29T08:00:00.001Z"), "2026-11-29T08:00:10.000Z");
  assert.equal(next("0 0 29 2 *", "UTC", "2026-11-29T08:00:00Z"), "2028-02-29T00:00:00.000Z");
  assert.equal(next("0 0 30 2 *", "UTC", "2026-11-29T08:00:00Z"), undefined);
});

test("a time that is asked for again, before or after the last, is the right one", () => {
  const times = ["10:00", "09:59", "11:59", "12:00", "08:00"].map((time) =>
    next("0 * * * *", "Asia/Tokyo", `2026-11-29T${time}:30Z`),
  );
  assert.deepEqual(
    times,
    ["11", "10", "12", "13", "09"].map((hour) => `2026-11-29T${hour}:00:00.000Z`),
  );
});

test("more patterns than are kept are known too", () => {
  for (let round = 0; round < 2; round += 1)
    for (let i = 0; i < 600; i += 1)
      assert.equal(
        next(`${i % 60} ${i % 24} * * *`, i % 2 === 0 ? "UTC" : "Etc/GMT", "2026-11-29T23:59:59Z"),
        new Date(Date.UTC(2026, 10, 30, i % 24, i % 60)).toISOString(),
      );
});

test("what is no pattern or no zone throws, each time", () => {
  for (let i = 0; i < 2; i += 1) {
    assert.throws(() => nextCronMs({ pattern: "99 * * * *", zone: "UTC" }, 0), RangeError);
    assert.throws(() => nextCronMs({ pattern: "soon", zone: "UTC" }, 0), TypeError);
    assert.throws(() => nextCronMs({ pattern: "0 9 * * *", zone: "Mars/Olympus" }, 0), TypeError);
  }
});

test("a year in a pattern is told as such, where the pattern is set", () => {
  const years = /^a pattern has no year, and its last field is 2027: use at$/;
  const failed = { name: "TypeError", message: years };
  assert.throws(() => firstCronMs({ pattern: "0 0 1 1 * 2027", zone: "UTC" }, 0), failed);
  assert.throws(() => firstCronMs({ pattern: "0 0 0 1 1 * 2027", zone: "UTC" }, 0), /and not 7$/);
});

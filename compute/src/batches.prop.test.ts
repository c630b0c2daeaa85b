import assert from "node:assert/strict";
import { test } from "node:test";
import { array, assert as check, double, integer, property, record } from "fast-check";
import { type SimulatedDevice, simulate } from "../test/simulated-devices.ts";

const device = record({
  rate: double({ min: 0.1, max: 100, noNaN: true }),
  launchMs: double({ min: 0, max: 1, noNaN: true }),
});

test("every index is run once, whichever devices are lost, as long as one is left", () => {
  const loss = record({ device: integer({ min: 1, max: 4 }), afterMs: integer({ min: 0, max: 50 }) });
  check(
    property(
      array(device, { minLength: 1, maxLength: 5 }),
      array(loss, { maxLength: 4 }),
      integer({ min: 0, max: 3_000 }),
      integer({ min: 1, max: 200 }),
      (devices, losses, count, grain) => {
        const lostAt = new Map(losses.map((one) => [one.device, one.afterMs]));
        const given: SimulatedDevice[] = devices.map(({ rate, launchMs }, i) => ({
          rateAt: () => rate,
          launchMs,
          lostAtMs: lostAt.get(i) ?? Number.POSITIVE_INFINITY,
        }));
        const { runs } = simulate(given, { count, grain });
        assert.deepEqual(
          [...runs],
          Array.from({ length: count }, () => 1),
        );
      },
    ),
  );
});

test("devices at 1:2:4 whose rates change are done in 1.15 times what an oracle needs", () => {
  check(
    property(
      integer({ min: 50, max: 400 }),
      array(integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 3 }),
      (changesAtMs, turned) => {
        const rates = [10, 20, 40];
        const devices = rates.map((rate, i) => ({
          rateAt: (ms: number) => (ms >= changesAtMs && turned.includes(i) ? rate / 2 : rate),
          launchMs: 0.05,
          lostAtMs: Number.POSITIVE_INFINITY,
        }));
        const { makespanMs, oracleMs } = simulate(devices, { count: 70 * 500, grain: 40 });
        assert.ok(makespanMs <= 1.15 * oracleMs, `${makespanMs} of ${oracleMs} ms`);
      },
    ),
  );
});

// One loop over three simulated devices whose rates change, against an oracle and two ways to split it
// beforehand.
import { type SimulatedDevice, simulate } from "../test/simulated-devices.ts";

const rates = [10, 20, 40];
const count = 35_000;
const launchMs = 0.05;
/** A launch is then 1 to 5 % of the smallest batch. */
const grain = 40;
const changesAtMs = 200;
const never = Number.POSITIVE_INFINITY;

const deviceOf = (rate: number, after: number, lostAtMs = never): SimulatedDevice => ({
  rateAt: (ms) => (ms < changesAtMs ? rate : after),
  launchMs,
  lostAtMs,
});

/** Three devices at 1:2:4; then the fastest becomes the slowest; then it is lost. */
const scenes: Readonly<Record<string, readonly SimulatedDevice[]>> = {
  steady: rates.map((rate) => deviceOf(rate, rate)),
  changing: rates.map((rate, i) => deviceOf(rate, rates.toReversed()[i] ?? rate)),
  lost: rates.map((rate, i) => deviceOf(rate, rate, i === 2 ? changesAtMs : never)),
};

export function shareOut(): Readonly<Record<string, unknown>> {
  const figures = Object.entries(scenes).map(([scene, devices]) => {
    const { runs, makespanMs, oracleMs } = simulate(devices, { count, grain });
    const again = runs.filter((times) => times > 1).length;
    const lost = runs.filter((times) => times === 0).length;
    const ratio = (ms: number): number | "never" =>
      ms === never ? "never" : Math.round((1_000 * ms) / oracleMs) / 1_000;
    const evenly = devices.map(() => 1);
    return [
      scene,
      {
        tasks: count,
        executedTwice: again,
        lost,
        oracleMs: Math.round(oracleMs),
        ratio: {
          voda: ratio(makespanMs),
          evenSplit: ratio(splitMs(devices, evenly)),
          splitByFirstRates: ratio(splitMs(devices, rates)),
        },
      },
    ];
  });
  return { simulated: true, devices: rates.length, ...Object.fromEntries(figures) };
}

/** All at once in parts like these; a device that is lost never ends its part. */
function splitMs(devices: readonly SimulatedDevice[], parts: readonly number[]): number {
  const all = parts.reduce((sum, part) => sum + part, 0);
  const ends = devices.map((device, i) => {
    const own = Math.round((count * (parts[i] ?? 0)) / all);
    const { makespanMs } = simulate([device], { count: own, grain: own + 1 });
    return makespanMs < device.lostAtMs ? makespanMs : never;
  });
  return Math.max(...ends);
}

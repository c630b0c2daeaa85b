// Devices in simulated time that run the batches of one loop, and what an oracle would have needed.
import { Batches } from "../src/batches.ts";

export interface SimulatedDevice {
  /** Indexes per millisecond, at a time. */
  readonly rateAt: (ms: number) => number;
  readonly launchMs: number;
  readonly lostAtMs: number;
}

export interface Simulation {
  /** How often each index was run by a device that lived to say so. */
  readonly runs: Uint8Array;
  readonly makespanMs: number;
  /** When all would end together, and nothing but the work took time. */
  readonly oracleMs: number;
}

interface Busy {
  readonly device: number;
  readonly start: number;
  readonly count: number;
  readonly fromMs: number;
  readonly endMs: number;
}

/** Steps of time in which rates are taken to be constant. */
const stepMs = 0.25;

export function simulate(
  devices: readonly SimulatedDevice[],
  { count, grain }: { readonly count: number; readonly grain: number },
): Simulation {
  const batches = new Batches({ count, devices: devices.length, grain });
  const runs = new Uint8Array(count);
  const busy: Busy[] = [];
  let nowMs = 0;
  const give = (device: number): void => {
    const batch = batches.take(device);
    const of = devices[device];
    if (batch === undefined || of === undefined) return;
    const endMs = endOf(of, nowMs + of.launchMs, batch.count);
    busy.push({ device, ...batch, fromMs: nowMs, endMs: Math.min(endMs, Math.max(nowMs, of.lostAtMs)) });
  };
  const giveAll = (): void => {
    const idle = devices.keys().filter((device) => !busy.some((one) => one.device === device));
    for (const device of idle) give(device);
  };
  for (giveAll(); busy.length > 0; giveAll()) {
    busy.sort((a, b) => a.endMs - b.endMs);
    const [first] = busy.splice(0, 1);
    if (first === undefined) break;
    nowMs = first.endMs;
    if (nowMs >= (devices[first.device]?.lostAtMs ?? 0)) {
      batches.lost(first.device);
      continue;
    }
    for (let i = first.start; i < first.start + first.count; i += 1) runs[i] = (runs[i] ?? 0) + 1;
    batches.ended(first.device, nowMs - first.fromMs);
  }
  return { runs, makespanMs: nowMs, oracleMs: oracleOf(devices, count) };
}

function endOf({ rateAt }: SimulatedDevice, fromMs: number, count: number): number {
  let [nowMs, left] = [fromMs, count];
  for (;;) {
    const rate = rateAt(nowMs);
    if (rate === 0) return Number.POSITIVE_INFINITY; // all are lost
    if (rate * stepMs >= left) return nowMs + left / rate;
    left -= rate * stepMs;
    nowMs += stepMs;
  }
}

function oracleOf(devices: readonly SimulatedDevice[], count: number): number {
  const all: SimulatedDevice = {
    rateAt: (ms) => devices.reduce((sum, { rateAt, lostAtMs }) => sum + (ms < lostAtMs ? rateAt(ms) : 0), 0),
    launchMs: 0,
    lostAtMs: Number.POSITIVE_INFINITY,
  };
  return endOf(all, 0, count);
}

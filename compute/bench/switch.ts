// Regret of the cost model: what its choices cost over the best ones, on the devices that are really there.
import { MemoryPool } from "@voda/stdx/memory";
import { cpuProfiles, type Device, Dispatcher, library, openCpuDevice, openJsDevice } from "../src/index.ts";
import { type Timing, timeInTurns } from "./rounds.ts";

/** Elements of a run: 2 to 65,536. */
const sizes = Array.from({ length: 16 }, (_, i) => 2 ** (i + 1));
const runsOfPart = 1_000;

/** `first`: over the first 1,000 runs, all sizes by turns; `next`: over the 1,000 after them. */
export function switchDevices(rounds: number): Readonly<Record<string, unknown>> {
  const { holder, alloc } = openMemory();
  const [x, y] = [alloc(65_536), alloc(65_536)];
  const run = (device: Device, n: number): void => void device.run(library.axpy, { x, y, a: 1e-9 }, { n });
  const devices = [openCpuDevice(holder), openJsDevice(holder)] as const;
  const truth = sizes.map((n) => trueUs(devices, n, rounds, run));

  let chosen = 0;
  const noting = (device: Device, index: number): Device => ({
    prepare: (kernel) => device.prepare(kernel),
    run(...given) {
      chosen = index;
      return device.run(...given);
    },
  });
  const dispatcher = openDispatcher(devices.map(noting));
  const part = (): number => {
    let [took, best] = [0, 0];
    for (let i = 0; i < runsOfPart; i += 1) {
      const at = (i * 7) % sizes.length;
      run(dispatcher, sizes[at] ?? 0);
      const us = truth[at] ?? [];
      took += us[chosen] ?? 0;
      best += Math.min(...us);
    }
    return Math.round(10_000 * (took / best - 1)) / 10_000;
  };
  const regret = { first: part(), next: part() };

  const same = openDispatcher([devices[0], devices[0]]);
  const { through, direct } = timeInTurns(
    [
      { name: "through", repeat: 10_000, run: () => run(same, 4) },
      { name: "direct", repeat: 10_000, run: () => run(devices[0], 4) },
    ],
    rounds,
  );
  const decisionUs = Math.round(1_000 * (p50(through) - p50(direct))) / 1_000;
  return { devices: ["cpu-wasm", "js"], regret, decisionUs, through, direct };
}

function openMemory() {
  const pool = new MemoryPool({ bytesMax: 16 * 1024 ** 2 });
  const alloc = (elements: number) => pool.alloc(4 * elements);
  return { holder: pool.holder, alloc };
}

/** Both are WebAssembly's when there is no other: then a run through it differs by the decision alone. */
function openDispatcher([wasm, js]: readonly Device[]): Dispatcher {
  const given = [
    { ...cpuProfiles.wasm, device: wasm },
    { ...cpuProfiles.js, device: js },
  ];
  return new Dispatcher(given.flatMap(({ device, ...profile }) => (device ? [{ device, ...profile }] : [])));
}

/** Microseconds of a run of this size on each device. */
function trueUs(
  devices: readonly Device[],
  n: number,
  rounds: number,
  run: (device: Device, n: number) => void,
): readonly number[] {
  const repeat = Math.max(1, Math.round(4_096 / n));
  const contestants = devices.map((device, i) => ({ name: `${i}`, repeat, run: () => run(device, n) }));
  return Object.values(timeInTurns(contestants, rounds)).map(p50);
}

const p50 = (timing: Timing | undefined): number => timing?.p50Us ?? 0;

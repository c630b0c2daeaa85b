// Placements through a real mesh at a steady rate: how much longer a session's first call takes than a call of one that is awake.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CliError, exitCodes } from "../failure.ts";
import { programs } from "../programs.ts";
import { type Called, openCaller } from "./caller.ts";
import { type OwnMesh, ownMesh } from "./mesh.ts";

export interface PlacementsOptions {
  /** Placements per second, and as many calls of the control. */
  readonly rate: number;
  readonly seconds: number;
}

export interface PlacementsResult {
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly controlP50Ms: number;
  readonly controlP99Ms: number;
  readonly overControlP99Ms: number;
  /** Placements that were answered, per second from the first arrival to the last answer. */
  readonly perSecond: number;
  /** Calls that were answered only after another attempt. */
  readonly retried: number;
  /** Calls that were not answered in time; their waiting counts in the percentiles. */
  readonly unanswered: number;
}

const NODES = 2;
/** Sessions of the control, awake before the first arrival. */
const CONTROL_SESSIONS = 200;
/** Arrivals before those that count: connections are open and code is compiled by then. */
const WARM_UP_SECONDS = 2;
/** A GPU holds 1,000 sessions of `gpu.config.ts`: a tenth stays free. */
const SESSIONS_PER_GPU = 900;
const GPUS_PER_NODE_MAX = 16;
const sessionsMax = NODES * GPUS_PER_NODE_MAX * SESSIONS_PER_GPU;
const CALLER_GIVES_UP_MS = 10_000;

/** All sessions of a run, which stay awake. @throws when they do not fit on the nodes */
export function sessionsOf({ rate, seconds }: PlacementsOptions): number {
  const sessions = CONTROL_SESSIONS + rate * (WARM_UP_SECONDS + seconds);
  if (sessions <= sessionsMax) return sessions;
  const limit = `--rate ${rate} for --seconds ${seconds} needs ${sessions} sessions; sessionsMax is ${sessionsMax}`;
  throw new CliError(limit, exitCodes.usage);
}

export async function placements(options: PlacementsOptions, say: (line: string) => void): Promise<PlacementsResult> {
  const { rate, seconds } = options;
  using gpus = declaredGpus(Math.ceil(sessionsOf(options) / SESSIONS_PER_GPU / NODES) * NODES);
  await using mesh = await ownMesh({ nodes: NODES, config: programs().gpuConfig, gpus: gpus.file });
  const run = new Arrivals(mesh, say);
  await run.wakeControl();
  await run.arrive("warm", { rate, seconds: WARM_UP_SECONDS });
  say(`${rate} placements and ${rate} control calls a second for ${seconds} s`);
  const { placed, control, perSecond, retried, unanswered } = await run.arrive("new", options);
  const [p99Ms, controlP99Ms] = [quantile(placed, 0.99), quantile(control, 0.99)];
  return {
    rate,
    p50Ms: hundredths(quantile(placed, 0.5)),
    p99Ms: hundredths(p99Ms),
    controlP50Ms: hundredths(quantile(control, 0.5)),
    controlP99Ms: hundredths(controlP99Ms),
    overControlP99Ms: hundredths(p99Ms - controlP99Ms),
    perSecond: hundredths(perSecond),
    retried,
    unanswered,
  };
}

interface Arrived {
  /** From the instant at which the call was due to its answer, ascending. */
  readonly placed: Float64Array;
  readonly control: Float64Array;
  readonly perSecond: number;
  readonly retried: number;
  readonly unanswered: number;
}

class Arrivals {
  readonly #mesh: OwnMesh;
  readonly #say: (line: string) => void;

  constructor(mesh: OwnMesh, say: (line: string) => void) {
    this.#mesh = mesh;
    this.#say = say;
  }

  async wakeControl(): Promise<void> {
    using caller = this.#caller();
    for (let i = 0; i < CONTROL_SESSIONS; i++) await add(caller, controlKey(i), `wake-${i}`);
  }

  /** One placement and, half an interval later, one call of the control; nobody waits for an answer. */
  async arrive(prefix: string, { rate, seconds }: PlacementsOptions): Promise<Arrived> {
    using caller = this.#caller();
    const count = rate * seconds;
    const [placed, control] = [new Float64Array(count), new Float64Array(count)];
    const calls: Promise<void>[] = [];
    let [answered, retried, unanswered] = [0, 0, 0];
    const startedMs = performance.now();
    const call = async (key: string, id: string): Promise<boolean> => {
      try {
        const { attempts } = await add(caller, key, id);
        if (attempts > 1) retried += 1;
        return true;
      } catch (error) {
        if (unanswered === 0) this.#say(error instanceof Error ? error.message : String(error));
        unanswered += 1;
        return false;
      }
    };
    const place = async (i: number, dueMs: number): Promise<void> => {
      if (await call(`${prefix}-${i}`, `${prefix}-${i}`)) answered += 1;
      placed[i] = performance.now() - dueMs;
    };
    const repeat = async (i: number, dueMs: number): Promise<void> => {
      await call(controlKey(i % CONTROL_SESSIONS), `${prefix}-control-${i}`);
      control[i] = performance.now() - dueMs;
    };
    await atRate(2 * rate, 2 * count, (i) => {
      const dueMs = startedMs + (i * 500) / rate;
      calls.push(i % 2 === 0 ? place(i / 2, dueMs) : repeat((i - 1) / 2, dueMs));
    });
    await Promise.all(calls);
    const perSecond = (answered * 1000) / (performance.now() - startedMs);
    return { placed: placed.toSorted(), control: control.toSorted(), perSecond, retried, unanswered };
  }

  /** Without hints, so that every call asks the picker: the control differs in nothing but the placement and the claim. */
  #caller(): ReturnType<typeof openCaller> {
    return openCaller(this.#mesh.url, { giveUpMs: CALLER_GIVES_UP_MS, keepsHints: false });
  }
}

const controlKey = (i: number): string => `control-${i}`;
const add = (caller: ReturnType<typeof openCaller>, key: string, id: string): Promise<Called> =>
  caller.call("model", key, "add", 1, id);

/** Calls `arrival` for each index when it is due, late ones at once. Resolves after the last one. */
function atRate(perSecond: number, count: number, arrival: (i: number) => void): Promise<void> {
  const startedMs = performance.now();
  return new Promise((resolve) => {
    let next = 0;
    const tick = (): void => {
      const due = Math.min(count, Math.floor(((performance.now() - startedMs) * perSecond) / 1000) + 1);
      for (; next < due; next++) arrival(next);
      if (next === count) resolve();
      else setTimeout(tick, 0);
    };
    tick();
  });
}

function declaredGpus(count: number): Disposable & { readonly file: string } {
  const folder = mkdtempSync(join(tmpdir(), "voda-bench-gpus-"));
  const file = join(folder, "gpus.json");
  const gpus = Array.from({ length: count }, (_, i) => ({
    uuid: `GPU-${i}`,
    model: "bench",
    memoryMib: 80_000,
    vendor: "nvidia",
  }));
  writeFileSync(file, JSON.stringify(gpus));
  return { file, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

const quantile = (sorted: Float64Array, part: number): number => sorted[Math.floor(sorted.length * part)] ?? 0;
const hundredths = (value: number): number => Math.round(value * 100) / 100;

// GPUs of a node that the next request is expected not to be able to use: the measure that FGD descends, here from
// tables, so that it costs one read per device. In GPUs, for the whole mix.
import type { Books } from "./books.ts";
import { CORE_MILLI, canHost, meanCardMib, type NodeClass, sizeOf } from "./node-classes.ts";
import type { KindShare } from "./policy.ts";
import { gpuMilliWhole } from "./resources.ts";

/** Rests of a device are read in steps of ten thousandths. */
const STEP_MILLI = 10;
const STEPS = gpuMilliWhole / STEP_MILLI + 1;

interface FragmentTable {
  /** Part of the requests for one GPU that these cores serve and this rest does not, by cores and rest. */
  readonly tooSmall: Float32Array;
  /** Part of the requests for which nothing of the node counts as usable by its rests, by cores. */
  readonly unserved: Float32Array;
  /** Part of the requests for several GPUs that these cores and idle GPUs serve, by cores and idle GPUs. */
  readonly sets: Float32Array;
}

export interface ExpectedFragments {
  /** Over the devices that are neither idle nor full. */
  ofRests(nodeClass: number, cores: number, rooms: Int16Array, first: number, gpus: number): number;
  ofRest(nodeClass: number, cores: number, room: number): number;
  /** Of the node, given the sum of the above, the milli that are left and the idle GPUs. */
  of(nodeClass: number, cores: number, rests: number, milli: number, idle: number): number;
}

export function expectedFragments(books: Books, mix: readonly KindShare[], classes: readonly NodeClass[]): ExpectedFragments {
  const cardMib = meanCardMib(books);
  const tables = classes.map((one) => tableOf(one, mix, cardMib));
  const ofRest = (nodeClass: number, cores: number, room: number): number => {
    const { tooSmall } = tables[nodeClass] as FragmentTable;
    return room * (tooSmall[cores * STEPS + ((room / STEP_MILLI) | 0)] as number);
  };
  return {
    ofRest,
    ofRests: (nodeClass, cores, rooms, first, gpus) => {
      let sum = 0;
      for (let device = first; device < first + gpus; device++) {
        const room = rooms[device] as number;
        if (room > 0 && room < gpuMilliWhole) sum += ofRest(nodeClass, cores, room);
      }
      return sum;
    },
    of: (nodeClass, cores, rests, milli, idle) => {
      const { unserved, sets } = tables[nodeClass] as FragmentTable;
      const gpus = (classes[nodeClass] as NodeClass).gpus;
      const usable = (sets[cores * (gpus + 1) + idle] as number) * idle * gpuMilliWhole;
      return (rests + milli * (unserved[cores] as number) - usable) / gpuMilliWhole;
    },
  };
}

/** Cores of a node are rounded down: a rest of a core serves nobody. */
function tableOf(one: NodeClass, mix: readonly KindShare[], cardMib: number): FragmentTable {
  const cores = Math.floor(one.cpuMilli / CORE_MILLI);
  const tooSmall = new Float32Array((cores + 1) * STEPS);
  const unserved = new Float32Array(cores + 1).fill(1);
  const sets = new Float32Array((cores + 1) * (one.gpus + 1));
  for (const { kind, share } of mix) {
    if (kind.gpuCount === 0 || !canHost(one, kind)) continue;
    const size = sizeOf(kind, cardMib);
    for (let core = Math.ceil(kind.cpuMilli / CORE_MILLI); core <= cores; core++) {
      if (kind.gpuCount > 1) {
        for (let idle = kind.gpuCount; idle <= one.gpus; idle++) add(sets, core * (one.gpus + 1) + idle, share);
        continue;
      }
      add(unserved, core, -share);
      for (let step = 0; step * STEP_MILLI < size; step++) add(tooSmall, core * STEPS + step, share);
    }
  }
  return { tooSmall, unserved, sets };
}

function add(table: Float32Array, i: number, amount: number): void {
  table[i] = (table[i] as number) + amount;
}

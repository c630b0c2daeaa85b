// GPUs of a node that the next request is expected not to be able to use: the measure that FGD descends, here
// from tables, so that it costs one read per device. In GPUs, for the whole mix.
import { gpuMilliWhole } from "@voda/proto/placement";
import type { Books } from "./books.ts";
import { canHost, coreMilli, meanCardMib, type NodeClass, sizeOf } from "./node-classes.ts";
import type { KindShare } from "./policy.ts";

/** Rests of a device are read in steps of ten thousandths. */
const stepMilli = 10;
const stepCount = gpuMilliWhole / stepMilli + 1;

interface FragmentTable {
  /** Part of the requests for one GPU that these cores serve and this rest does not, by cores and rest. */
  readonly tooSmall: Float64Array;
  /** Part of the requests for which nothing of the node counts as usable by its rests, by cores. */
  readonly unserved: Float64Array;
  /** Part of the requests for several GPUs that these cores and idle GPUs serve, by cores and idle GPUs. */
  readonly sets: Float64Array;
}

/** How much of what is free the next request of the mix is expected not to be able to use, in GPUs. */
export interface ExpectedFragments {
  /** Over the devices that are neither idle nor full. */
  ofRests(nodeClass: number, cores: number, rooms: Int16Array, first: number, gpus: number): number;
  ofRest(nodeClass: number, cores: number, room: number): number;
  /** Of the node, given the sum of the above, the milli that are left and the idle GPUs. */
  of(nodeClass: number, cores: number, rests: number, milli: number, idle: number): number;
}

/** Tables for all classes of nodes: made with new prices, read by decisions. */
export function expectedFragments(
  books: Books,
  mix: readonly KindShare[],
  classes: readonly NodeClass[],
): ExpectedFragments {
  const cardMib = meanCardMib(books);
  const tables = classes.map((one) => tableOf(one, mix, cardMib));
  const ofRest = (nodeClass: number, cores: number, room: number): number => {
    const { tooSmall } = tables[nodeClass] as FragmentTable;
    return room * (tooSmall[cores * stepCount + ((room / stepMilli) | 0)] as number);
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
  const cores = Math.floor(one.cpuMilli / coreMilli);
  const tooSmall = new Float64Array((cores + 1) * stepCount);
  const unserved = new Float64Array(cores + 1);
  unserved[0] = 1;
  const sets = new Float64Array((cores + 1) * (one.gpus + 1));
  // Shares are put where they begin and taken away where they end; the sums along the axes are the tables.
  for (const { kind, share } of mix) {
    const core = Math.ceil(kind.cpuMilli / coreMilli);
    if (kind.gpuCount === 0 || core > cores || !canHost(one, kind)) continue;
    if (kind.gpuCount > 1) {
      add(sets, core * (one.gpus + 1) + kind.gpuCount, share);
      continue;
    }
    const end = Math.ceil(sizeOf(kind, cardMib) / stepMilli);
    add(unserved, core, -share);
    add(tooSmall, core * stepCount, share);
    add(tooSmall, core * stepCount + end, -share);
  }
  sumRows(tooSmall, stepCount);
  sumRows(sets, one.gpus + 1);
  for (const [table, row] of [
    [tooSmall, stepCount],
    [sets, one.gpus + 1],
    [unserved, 1],
  ] as const) {
    for (let i = row; i < table.length; i++) add(table, i, table[i - row] as number);
  }
  return { tooSmall, unserved, sets };
}

/** Makes every place of a row the sum of those up to it. */
function sumRows(table: Float64Array, row: number): void {
  for (let i = 0; i < table.length; i++) if (i % row !== 0) add(table, i, table[i - 1] as number);
}

function add(table: Float64Array, i: number, amount: number): void {
  table[i] = (table[i] as number) + amount;
}

// A session that is on a node already, as the node tells of it: the node is the authority, and the books take
// what they have room for.
import type { Books } from "./books.ts";
import type { Kind, KindShape } from "./kind.ts";
import type { Placed, Pool } from "./pool.ts";
import type { PoolRequest } from "./request.ts";
import type { DeviceShare, GpuRequest, Resources } from "./resources.ts";

/** What is to be booked, whether there is room for it or not. */
export type Held = Readonly<Placed>;

const noGpu = { gpuCount: 0, isFraction: false, gpuMilli: 0, gpuMemoryMib: 0, models: 0, owner: -1 } as const;
const nothing: Resources = { cpuMilli: 0, memoryMib: 0, gpu: { type: "none" } };

/**
 * Shares that nobody was ever given are left off: of devices that the node does not have, twice of one, or of
 * no amount.
 */
export function heldOn(
  pool: Pool,
  node: number,
  { request, shares }: { request: PoolRequest; shares: readonly DeviceShare[] },
): Held {
  const gpus = pool.books.specs[node]?.gpus ?? [];
  const position = ({ uuid }: DeviceShare): number => gpus.findIndex((gpu) => gpu.uuid === uuid);
  const known = shares.filter(
    (share, i) => position(share) >= 0 && shares.findIndex(({ uuid }) => uuid === share.uuid) === i,
  );
  const wholes = known.filter(({ whole }) => whole);
  const taken = wholes.length > 0 ? wholes : known.slice(0, 1);
  const { cpuMilli, memoryMib } = request.resources;
  const shaped = (resources: Resources): Kind | string => pool.kindOf({ ...request, resources, models: [] });
  const kind = shaped({ cpuMilli, memoryMib, gpu: gpuOf(taken) });
  if (typeof kind !== "string")
    return { request, kind, node, mask: taken.reduce((mask, one) => mask | (1 << position(one)), 0) };
  const without = shaped({ ...nothing, cpuMilli, memoryMib });
  if (typeof without !== "string") return { request, kind: without, node, mask: 0 };
  return { request, kind: pool.kindWith({ ...noGpu, cpuMilli: 0, memoryMib: 0, diskMib: 0 }), node, mask: 0 };
}

function gpuOf(shares: readonly DeviceShare[]): GpuRequest {
  const [first] = shares;
  if (first === undefined) return { type: "none" };
  if (first.whole) return { type: "whole", count: shares.length, memoryMib: 0 };
  return { type: "fraction", milli: first.milli, memoryMib: first.memoryMib };
}

/**
 * Bookings that stand in the way of the held session, as long as they do: they have of the same devices, or
 * of an amount that is short.
 */
export function* inTheWayOf(pool: Pool, held: Held): Iterable<Held> {
  const { books } = pool;
  const { node, kind } = held;
  for (const other of pool.sessionsOn(node)) {
    const misfit = misfits(books, held);
    const isCpu = (books.cpuMilli[node] as number) < kind.cpuMilli;
    const isMemory = (books.memoryMib[node] as number) < kind.memoryMib;
    const isDisk = (books.diskMib[node] as number) < kind.diskMib;
    if (misfit === 0 && !isCpu && !isMemory && !isDisk) return;
    const { cpuMilli, memoryMib, diskMib } = other.kind;
    if (
      (misfit & other.mask) !== 0 ||
      (isCpu && cpuMilli > 0) ||
      (isMemory && memoryMib > 0) ||
      (isDisk && diskMib > 0)
    )
      yield other;
  }
}

/** The held session as far as there is room now. */
export function cutToFit(pool: Pool, held: Held): Placed {
  const { books } = pool;
  const { request, node, kind } = held;
  const mask = held.mask & ~misfits(books, held);
  const room: KindShape = {
    ...(mask === held.mask ? kind : mask === 0 ? noGpu : { ...kind, gpuCount: bitsOf(mask) }),
    cpuMilli: Math.min(kind.cpuMilli, books.cpuMilli[node] as number),
    memoryMib: Math.min(kind.memoryMib, books.memoryMib[node] as number),
    diskMib: Math.min(kind.diskMib, books.diskMib[node] as number),
  };
  return { request, kind: pool.kindWith(room), node, mask };
}

/** Its devices that have no room for it. */
function misfits(books: Books, { node, kind, mask }: Held): number {
  let misfit = 0;
  for (let i = 0; mask >> i > 0; i++) {
    const device = node * books.stride + i;
    const isWanted = ((mask >> i) & 1) === 1;
    if (isWanted && !books.takes(device, kind)) misfit |= 1 << i;
  }
  return misfit;
}

function bitsOf(mask: number): number {
  let bits = 0;
  for (let left = mask; left > 0; left >>= 1) bits += left & 1;
  return bits;
}

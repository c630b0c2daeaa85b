// The placement library's pool, kept equal to the directory's books: it learns what is asked for and ranks nodes for requests with GPUs.
// Whoever asks checks the answer against the directory's books, which are the authority in this process.
import type { SessionToken } from "@voda/proto/session";
import type { Booking, Directory } from "../directory/directory.ts";
import {
  BooksError,
  costOf,
  defaultMemoryMib,
  type NodeSnapshot,
  type Placed,
  type PlacementRequest,
  type Plan,
  Pool,
  type PoolRequest,
  type Resources,
} from "../placement/index.ts";
import { type Candidate, candidatesMax } from "./decision.ts";

export const poolPolicy = "bpf";
/** Requests that a new pool learns from when nodes came or went. */
export const recentMax = 512;
/** Larger pools score only the chosen node: a score is about a microsecond. */
export const scoredNodesMax = 64;

export interface PoolPlanned {
  readonly plan: Plan;
  readonly candidates: readonly Candidate[];
}

type Shape = Placed["shape"];

export class PoolMirror implements Disposable {
  readonly #directory: Directory;
  /** What sessions of the deployed agents ask for: expected before the first request. */
  readonly #wanted: () => readonly Resources[];
  readonly #recent: Resources[] = [];
  #pool: Pool | undefined;
  #nodes = new Map<string, number>();
  #soon: NodeJS.Immediate | undefined;

  constructor(directory: Directory, wanted: () => readonly Resources[]) {
    this.#directory = directory;
    this.#wanted = wanted;
    directory.observe({
      booked: (booking) => this.#book(booking),
      released: (token, isGone) => this.#release(token, isGone),
      ready: (id, ready) => {
        const node = this.#nodes.get(id);
        if (node !== undefined) this.#pool?.books.setReady(node, ready);
      },
      nodesChanged: () => {
        this.#pool = undefined;
        this.#workSoon();
      },
    });
    this.#workSoon();
  }

  /** `undefined`: nothing fits, or the pool is being made anew; nothing is booked by asking. */
  decide({ session, resources }: PlacementRequest): PoolPlanned | undefined {
    const pool = this.#pool;
    this.#recent.push(resources);
    if (this.#recent.length > recentMax) this.#recent.shift();
    if (pool === undefined) return undefined;
    const request = requestOf(session, resources);
    pool.arrived(request);
    if (pool.isAdoptDue()) this.#workSoon();
    const planned = pool.decide(request);
    if (planned.kind === "refusal") return undefined;
    const { node, nodeId, shape } = planned;
    const plan: Plan = { kind: "plan", node: nodeId, allocation: { ...costOf(resources), devices: pool.devicesOf(planned) } };
    return { plan, candidates: candidatesOf(pool, shape, node) };
  }

  /** A plan of `decide` was reserved. */
  placed(): void {
    this.#pool?.mix.placed();
  }

  [Symbol.dispose](): void {
    clearImmediate(this.#soon);
  }

  /** Making pools and prices takes milliseconds: between decisions, not in one. */
  #workSoon(): void {
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined;
      if (this.#pool === undefined) this.#pool = this.#make();
      this.#pool?.adopt();
    });
  }

  #make(): Pool | undefined {
    const books = this.#directory.nodes().map((one) => one.books);
    const pool = open(books);
    this.#nodes = new Map(books.map(({ id }, at) => [id, at]));
    if (pool === undefined) return undefined;
    for (const [at, { ready }] of books.entries()) if (!ready) pool.books.setReady(at, false);
    for (const booking of this.#directory.bookings()) bookInto(pool, this.#nodes, booking);
    for (const resources of [...this.#wanted(), ...this.#recent])
      if (resources.gpu.kind !== "none") pool.expect(requestOf("expected", resources));
    return pool;
  }

  #book(booking: Booking): void {
    if (this.#pool !== undefined) bookInto(this.#pool, this.#nodes, booking);
  }

  #release(token: SessionToken, isGone: boolean): void {
    const placed = this.#pool?.sessions.get(token);
    if (placed === undefined) return;
    this.#pool?.unbook(placed);
    if (isGone && placed.shape.gpuCount > 0) this.#pool?.mix.departed();
  }
}

/** Nodes that a pool cannot hold leave the placement to best fit. */
function open(nodes: readonly NodeSnapshot[]): Pool | undefined {
  try {
    return new Pool({
      nodes: nodes.map(({ id, capacity, gpus }) => ({
        id,
        zone: "",
        ...capacity,
        diskMib: 0,
        gpus: gpus.map(({ device }) => device),
      })),
      policy: poolPolicy,
    });
  } catch (error) {
    if (error instanceof BooksError) return undefined;
    throw error;
  }
}

function requestOf(session: string, { cpuMilli, memoryMib, gpu }: Resources): PoolRequest {
  return { session, namespace: "", resources: { cpuMilli, memoryMib, gpu } };
}

/** A session that the pool has no room for is left out: a node may hold more than the books allow. */
function bookInto(pool: Pool, nodes: ReadonlyMap<string, number>, { token, node: id, allocation }: Booking): void {
  const node = nodes.get(id);
  const { cpuMilli, devices } = allocation;
  const memoryMib = Math.floor(allocation.memoryMib);
  if (node === undefined || (cpuMilli === 0 && allocation.memoryMib <= defaultMemoryMib && devices.length === 0)) return;
  const [first] = devices;
  const gpu: Resources["gpu"] =
    first === undefined
      ? { kind: "none" }
      : first.whole
        ? { kind: "whole", count: devices.length, memoryMib: 0 }
        : { kind: "fraction", milli: first.milli, memoryMib: first.memoryMib };
  const request = requestOf(token, { cpuMilli, memoryMib, gpu });
  const shape = pool.shapeOf(request);
  if (typeof shape === "string") return;
  const gpus = pool.books.specs[node]?.gpus ?? [];
  const mask = devices.reduce((sum, { uuid }) => sum | (1 << gpus.findIndex((one) => one.uuid === uuid)), 0);
  if (canBook(pool, shape, node, mask)) pool.book({ request, shape, node, mask });
}

function canBook({ books }: Pool, shape: Shape, node: number, mask: number): boolean {
  if ((books.cpuMilli[node] ?? 0) < shape.cpuMilli || (books.memoryMib[node] ?? 0) < shape.memoryMib) return false;
  let count = 0;
  for (let at = 0; at < books.stride; at += 1) {
    if (((mask >> at) & 1) === 0) continue;
    const device = node * books.stride + at;
    if (!(shape.isFraction ? books.isShareFor(device, shape) : books.isWholeFor(device, shape))) return false;
    count += 1;
  }
  return count === shape.gpuCount;
}

/** The chosen node first, whatever decided between it and its equals. */
function candidatesOf(pool: Pool, shape: Shape, chosen: number): Candidate[] {
  const { books, policy } = pool;
  const scored = (node: number): Candidate => ({ node: books.idOf(node), score: [policy.cost(node, shape)] });
  const others: Candidate[] = [];
  for (let node = 0; node < books.count && books.count <= scoredNodesMax; node += 1)
    if (node !== chosen && books.fits(node, shape)) others.push(scored(node));
  const byScore = others.toSorted((a, b) => (a.score[0] ?? 0) - (b.score[0] ?? 0) || (a.node < b.node ? -1 : 1));
  return [scored(chosen), ...byScore].slice(0, candidatesMax);
}

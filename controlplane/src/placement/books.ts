// The books of a pool: what every node and device has left. Typed arrays, one column per amount, so that a
// decision is a pass over memory. Every change bumps the node's version; caches and plans compare versions.
import { gpuMilliWhole } from "@voda/proto/placement";
import { assert } from "@voda/stdx";
import { cardMemoryOn, type Kind, milliOn } from "./kind.ts";
import { joinProblem, type NodeSpec, nodesProblem } from "./node-spec.ts";

/** Modes of a device: they are never mixed on one device. */
export const deviceMode = { idle: 0, whole: 1, shared: 2, owned: 3 } as const;
/** 16 nodes have a version in common too: a block that is unchanged is skipped as a whole. */
export const blockBits = 4;
/** Counters per node in `hosted`: fractions count in the first, whole requests in that of their count. */
export const hostedCounts = 17;

const noOwner = -1;

/** A node that the books cannot hold; the message names the node, the amount and the limit. */
export class BooksError extends Error {
  override readonly name = "BooksError";
}

type Column = Int32Array | Int16Array | Uint8Array | Float64Array;

/** The same numbers with room for more; the rest is `fill`. */
export function grown<T extends Column | Int8Array>(column: T, length: number, fill = 0): T {
  const longer = new (column.constructor as new (length: number) => T)(length);
  longer.fill(fill, column.length);
  longer.set(column);
  return longer;
}

/**
 * What is free of each node, in columns of typed arrays indexed by slot: a decision reads them in order.
 * Mutable on purpose; only `Pool` writes.
 */
export class Books {
  /** By slot: a node that leaves leaves a slot without a spec, which the next one takes. */
  readonly specs: (NodeSpec | undefined)[] = [];
  /** Slots in use, those of nodes that left included: every loop over nodes ends here. */
  count = 0;
  /** Slots that the columns have room for. */
  capacity: number;
  /** Devices are numbered node * stride + position. */
  stride: number;
  /** Every model that a node had; a model keeps its number when its last node leaves. */
  readonly models: string[] = [];

  isReady: Uint8Array;
  cpuMilli: Int32Array;
  /** Fractions of a MiB occur: see `defaultMemoryMib`. */
  memoryMib: Float64Array;
  diskMib: Int32Array;
  cpuCapacity: Int32Array;
  memoryCapacity: Float64Array;
  gpus: Uint8Array;
  /** Devices without a session, per node. */
  idleGpus: Uint8Array;
  /** Free milli over all devices of a node. */
  gpuMilli: Int32Array;
  sessions: Int32Array;
  /** Sessions per node and size of GPU request. */
  hosted: Int32Array;
  /** 0 in a slot that never had a node: kept costs of version 0 were never made. */
  version: Int32Array;
  /** Never 0: the last block may have no node yet. */
  blockVersion: Int32Array;

  deviceModel: Uint8Array;
  cardMemoryMib: Int32Array;
  deviceMode: Uint8Array;
  deviceMilli: Int16Array;
  deviceMemoryMib: Int32Array;
  /** Milli that a next fraction could get of a device when its memory is counted too. */
  deviceRoom: Int16Array;
  deviceOwner: Int32Array;
  deviceSessions: Int32Array;

  capacityMilli = 0;
  usedMilli = 0;
  /** The largest node that was ever there: what scores are normalised by. */
  largestCpuMilli = 1;
  largestGpus = 1;

  readonly #slots = new Map<string, number>();
  readonly #left: number[] = [];

  /** @throws BooksError that names the node and the limit. */
  constructor(specs: readonly NodeSpec[]) {
    const problem = nodesProblem(specs);
    if (problem !== undefined) throw new BooksError(problem);
    const slots = Math.max(1, specs.length);
    this.capacity = slots;
    this.stride = specs.reduce((most, node) => Math.max(most, node.gpus.length), 1);
    this.isReady = new Uint8Array(slots);
    this.cpuMilli = new Int32Array(slots);
    this.cpuCapacity = new Int32Array(slots);
    this.memoryMib = new Float64Array(slots);
    this.memoryCapacity = new Float64Array(slots);
    this.diskMib = new Int32Array(slots);
    this.gpus = new Uint8Array(slots);
    this.idleGpus = new Uint8Array(slots);
    this.gpuMilli = new Int32Array(slots);
    this.sessions = new Int32Array(slots);
    this.hosted = new Int32Array(slots * hostedCounts);
    this.version = new Int32Array(slots);
    this.blockVersion = new Int32Array((slots >> blockBits) + 1).fill(1);
    const devices = slots * this.stride;
    this.deviceModel = new Uint8Array(devices);
    this.cardMemoryMib = new Int32Array(devices);
    this.deviceMode = new Uint8Array(devices);
    this.deviceMilli = new Int16Array(devices);
    this.deviceMemoryMib = new Int32Array(devices);
    this.deviceRoom = new Int16Array(devices);
    this.deviceOwner = new Int32Array(devices).fill(noOwner);
    this.deviceSessions = new Int32Array(devices);
    for (const spec of specs) this.#seat(spec);
  }

  /** Nodes that are there. */
  get nodes(): number {
    return this.#slots.size;
  }

  /** Blocks up to the last slot in use. */
  get blocks(): number {
    return (this.count >> blockBits) + 1;
  }

  /** `undefined` when no such node is there. */
  slotOf(id: string): number | undefined {
    return this.#slots.get(id);
  }

  /**
   * A new node, in a slot that was left or in a new one; ready, and without sessions.
   * @throws BooksError that names the node and the limit.
   */
  join(spec: NodeSpec): number {
    const problem = joinProblem(spec, {
      nodes: this.nodes,
      models: this.models,
      isTaken: this.#slots.has(spec.id),
    });
    if (problem !== undefined) throw new BooksError(problem);
    return this.#seat(spec);
  }

  /** @throws AssertionError while sessions are booked on it. */
  leave(node: number): void {
    const spec = this.specs[node];
    assert(
      spec !== undefined && this.sessions[node] === 0,
      `node ${this.idOf(node)} still has ${this.sessions[node]} sessions`,
    );
    this.capacityMilli -= (this.gpus[node] as number) * gpuMilliWhole;
    this.specs[node] = undefined;
    this.#slots.delete(spec.id);
    this.#left.push(node);
    // a slot without room fits no request: loops need not ask whether it has a node
    this.#setLanes(node, { ...spec, cpuMilli: 0, memoryMib: 0, diskMib: 0, gpus: [] });
    this.isReady[node] = 0;
    this.#changed(node);
  }

  #seat(spec: NodeSpec): number {
    // slots are used again: the columns are never longer than the most nodes that there were at a time
    const node = this.#left.pop() ?? this.count;
    if (node >= this.capacity) this.#grow();
    if (spec.gpus.length > this.stride) this.#widen(spec.gpus.length);
    this.count = Math.max(this.count, node + 1);
    this.specs[node] = spec;
    this.#slots.set(spec.id, node);
    this.#setLanes(node, spec);
    this.isReady[node] = 1;
    this.capacityMilli += this.gpuMilli[node] as number;
    this.largestCpuMilli = Math.max(this.largestCpuMilli, spec.cpuMilli);
    this.largestGpus = Math.max(this.largestGpus, spec.gpus.length);
    this.#changed(node);
    return node;
  }

  /** An empty node as its spec says; `sessions` and `hosted` of the slot are 0 already. */
  #setLanes(node: number, spec: NodeSpec): void {
    this.cpuMilli[node] = spec.cpuMilli;
    this.cpuCapacity[node] = spec.cpuMilli;
    this.memoryMib[node] = spec.memoryMib;
    this.memoryCapacity[node] = spec.memoryMib;
    this.diskMib[node] = spec.diskMib;
    this.gpus[node] = spec.gpus.length;
    this.idleGpus[node] = spec.gpus.length;
    this.gpuMilli[node] = spec.gpus.length * gpuMilliWhole;
    for (let i = 0; i < this.stride; i++) {
      const gpu = spec.gpus[i];
      const device = node * this.stride + i;
      this.deviceModel[device] = gpu === undefined ? 0 : this.#modelOf(gpu.model);
      this.cardMemoryMib[device] = gpu?.memoryMib ?? 0;
      this.deviceMemoryMib[device] = gpu?.memoryMib ?? 0;
      this.deviceMode[device] = deviceMode.idle;
      this.deviceMilli[device] = gpu === undefined ? 0 : gpuMilliWhole;
      this.deviceRoom[device] = gpu === undefined ? 0 : gpuMilliWhole;
    }
  }

  /** Models are few: a list is enough, and the place in it is the bit of `Kind.models`. */
  #modelOf(model: string): number {
    const known = this.models.indexOf(model);
    return known < 0 ? this.models.push(model) - 1 : known;
  }

  /** Doubles, so that a node that joins costs the same on average however many there are. */
  #grow(): void {
    const slots = this.capacity * 2;
    this.capacity = slots;
    this.isReady = grown(this.isReady, slots);
    this.cpuMilli = grown(this.cpuMilli, slots);
    this.cpuCapacity = grown(this.cpuCapacity, slots);
    this.memoryMib = grown(this.memoryMib, slots);
    this.memoryCapacity = grown(this.memoryCapacity, slots);
    this.diskMib = grown(this.diskMib, slots);
    this.gpus = grown(this.gpus, slots);
    this.idleGpus = grown(this.idleGpus, slots);
    this.gpuMilli = grown(this.gpuMilli, slots);
    this.sessions = grown(this.sessions, slots);
    this.hosted = grown(this.hosted, slots * hostedCounts);
    this.version = grown(this.version, slots);
    this.blockVersion = grown(this.blockVersion, (slots >> blockBits) + 1, 1);
    this.#layDevices(this.stride);
  }

  /** A node has more devices than any before: all devices get new numbers, on nodes whose versions stay. */
  #widen(stride: number): void {
    this.#layDevices(stride);
    this.stride = stride;
  }

  #layDevices(stride: number): void {
    const lay = <T extends Column>(column: T, fill = 0): T => {
      const laid = grown(column.subarray(0, 0) as T, this.capacity * stride, fill);
      if (stride === this.stride) laid.set(column);
      else
        for (let node = 0; node < this.count; node++)
          laid.set(column.subarray(node * this.stride, (node + 1) * this.stride), node * stride);
      return laid;
    };
    this.deviceModel = lay(this.deviceModel);
    this.cardMemoryMib = lay(this.cardMemoryMib);
    this.deviceMode = lay(this.deviceMode);
    this.deviceMilli = lay(this.deviceMilli);
    this.deviceMemoryMib = lay(this.deviceMemoryMib);
    this.deviceRoom = lay(this.deviceRoom);
    this.deviceOwner = lay(this.deviceOwner, noOwner);
    this.deviceSessions = lay(this.deviceSessions);
  }

  /** A node that is not ready keeps its sessions and gets no new ones. */
  setReady(node: number, isReady: boolean): void {
    assert(this.specs[node] !== undefined, `slot ${node} has no node to be ready`);
    this.isReady[node] = isReady ? 1 : 0;
    this.#changed(node);
  }

  /** Whether the node has the room that the kind needs, whatever the policy thinks of it. */
  fits(node: number, kind: Kind): boolean {
    if (this.isReady[node] === 0) return false;
    if ((this.cpuMilli[node] as number) < kind.cpuMilli || (this.memoryMib[node] as number) < kind.memoryMib)
      return false;
    if ((this.diskMib[node] as number) < kind.diskMib) return false;
    if (kind.gpuCount === 0) return true;
    return kind.isFraction ? this.#fitsFraction(node, kind) : this.#fitsWhole(node, kind);
  }

  #fitsWhole(node: number, kind: Kind): boolean {
    if ((this.idleGpus[node] as number) < kind.gpuCount) return false;
    // the count alone answers most requests, without a look at the devices
    if (kind.models === 0 && kind.gpuMemoryMib === 0) return true;
    let left = kind.gpuCount;
    const first = node * this.stride;
    for (let device = first; device < first + (this.gpus[node] as number); device++) {
      if (this.isWholeFor(device, kind) && --left === 0) return true;
    }
    return false;
  }

  #fitsFraction(node: number, kind: Kind): boolean {
    // nodes that are full are many: one comparison leaves them out
    if ((this.gpuMilli[node] as number) < kind.gpuMilli) return false;
    const first = node * this.stride;
    for (let device = first; device < first + (this.gpus[node] as number); device++) {
      if (this.isShareFor(device, kind)) return true;
    }
    return false;
  }

  /** `kind.models` 0: any model does. A kind whose models no node has fits nowhere. */
  isModelFor(device: number, kind: Kind): boolean {
    return kind.models === 0 || ((kind.models >> (this.deviceModel[device] as number)) & 1) === 1;
  }

  /** Given whole only when idle: nobody else's work runs beside it. */
  isWholeFor(device: number, kind: Kind): boolean {
    return (
      this.deviceMode[device] === deviceMode.idle &&
      this.isModelFor(device, kind) &&
      (kind.gpuMemoryMib === 0 || (this.cardMemoryMib[device] as number) >= kind.gpuMemoryMib)
    );
  }

  /** Whether a fraction may sit on the device: its model, its mode, its tenants, then its room. */
  isShareFor(device: number, kind: Kind): boolean {
    if ((this.deviceMilli[device] as number) < kind.gpuMilli) return false;
    if (!this.isModelFor(device, kind) || !this.isModeFor(device, kind)) return false;
    const card = this.cardMemoryMib[device] as number;
    if (milliOn(kind, card) > (this.deviceMilli[device] as number)) return false;
    return cardMemoryOn(kind, card) <= (this.deviceMemoryMib[device] as number);
  }

  /** Whether the device has room for the kind, or for one of its whole GPUs. */
  takes(device: number, kind: Kind): boolean {
    return kind.isFraction ? this.isShareFor(device, kind) : this.isWholeFor(device, kind);
  }

  /** Fractions of one owner never meet those of another, and shared ones only meet shared ones. */
  isModeFor(device: number, kind: Kind): boolean {
    const mode = this.deviceMode[device];
    if (mode === deviceMode.idle) return true;
    if (kind.owner === noOwner) return mode === deviceMode.shared;
    return mode === deviceMode.owned && this.deviceOwner[device] === kind.owner;
  }

  /** The device with the least left that takes the fraction; -1 when none does. The first wins ties. */
  tightestDevice(node: number, kind: Kind): number {
    const first = node * this.stride;
    let best = -1;
    for (let i = 0; i < (this.gpus[node] as number); i++) {
      const device = first + i;
      if (!this.isShareFor(device, kind)) continue;
      if (best < 0 || (this.deviceMilli[device] as number) < (this.deviceMilli[first + best] as number))
        best = i;
    }
    return best;
  }

  /**
   * Devices for the kind as a mask: the wished one for a fraction (the tightest at -1), the first idle ones
   * for whole GPUs.
   */
  maskFor(node: number, kind: Kind, wished: number): number {
    if (kind.gpuCount === 0) return 0;
    if (kind.isFraction) {
      const position = wished >= 0 ? wished : this.tightestDevice(node, kind);
      assert(position >= 0, `node ${this.idOf(node)} has no device for the fraction it was chosen for`);
      return 1 << position;
    }
    let mask = 0;
    let left = kind.gpuCount;
    for (let i = 0; i < (this.gpus[node] as number) && left > 0; i++) {
      if (!this.isWholeFor(node * this.stride + i, kind)) continue;
      mask |= 1 << i;
      left -= 1;
    }
    assert(left === 0, `node ${this.idOf(node)} lacks ${left} idle GPUs for the request it was chosen for`);
    return mask;
  }

  /** @throws AssertionError when it does not fit: whoever calls has asked `fits` at this version. */
  take(node: number, kind: Kind, mask: number): void {
    const id = (): string => `node ${this.idOf(node)}`;
    assert((this.cpuMilli[node] as number) >= kind.cpuMilli, `${id()} lacks CPU`);
    assert((this.memoryMib[node] as number) >= kind.memoryMib, `${id()} lacks memory`);
    assert((this.diskMib[node] as number) >= kind.diskMib, `${id()} lacks disk`);
    for (let i = 0; mask >> i > 0; i++) {
      if (((mask >> i) & 1) === 1) this.#takeDevice(node, node * this.stride + i, kind);
    }
    this.#book(node, kind, 1);
  }

  /** The reverse of `take`, with the same kind and mask. */
  give(node: number, kind: Kind, mask: number): void {
    assert((this.sessions[node] as number) > 0, `node ${this.idOf(node)} has no session to release`);
    for (let i = 0; mask >> i > 0; i++) {
      if (((mask >> i) & 1) === 1) this.#giveDevice(node, node * this.stride + i, kind);
    }
    this.#book(node, kind, -1);
    assert(
      (this.cpuMilli[node] as number) <= (this.cpuCapacity[node] as number),
      `node ${this.idOf(node)} got more CPU than it has`,
    );
  }

  /**
   * After all that was taken since that version has been given back: what is kept for that version holds
   * again.
   */
  revert(node: number, version: number): void {
    this.version[node] = version;
  }

  /** For messages, also of a slot that its node has left. */
  idOf(node: number): string {
    return this.specs[node]?.id ?? `#${node}`;
  }

  /** CPU, memory, disk and counts. Devices are booked before it, one by one. */
  #book(node: number, kind: Kind, sign: 1 | -1): void {
    this.cpuMilli[node] = (this.cpuMilli[node] as number) - sign * kind.cpuMilli;
    this.memoryMib[node] = (this.memoryMib[node] as number) - sign * kind.memoryMib;
    this.diskMib[node] = (this.diskMib[node] as number) - sign * kind.diskMib;
    this.sessions[node] = (this.sessions[node] as number) + sign;
    if (kind.gpuCount > 0) {
      const count = node * hostedCounts + (kind.isFraction ? 0 : kind.gpuCount);
      this.hosted[count] = (this.hosted[count] as number) + sign;
    }
    this.#changed(node);
  }

  /**
   * What is idle becomes whole, shared or owned here, and by `#giveDevice` idle again with its last session.
   */
  #takeDevice(node: number, device: number, kind: Kind): void {
    const isIdle = this.deviceMode[device] === deviceMode.idle;
    if (!kind.isFraction) {
      assert(isIdle, `device ${device} is not idle and cannot be given whole`);
      this.#share(node, device, gpuMilliWhole, this.cardMemoryMib[device] as number, 1);
      this.deviceMode[device] = deviceMode.whole;
    } else {
      assert(this.isShareFor(device, kind), `device ${device} takes no fraction of this kind`);
      const card = this.cardMemoryMib[device] as number;
      this.#share(node, device, milliOn(kind, card), cardMemoryOn(kind, card), 1);
      this.deviceMode[device] = kind.owner === noOwner ? deviceMode.shared : deviceMode.owned;
      this.deviceOwner[device] = kind.owner;
    }
    if (isIdle) this.idleGpus[node] = (this.idleGpus[node] as number) - 1;
    this.#measureRoom(device);
  }

  #giveDevice(node: number, device: number, kind: Kind): void {
    const card = this.cardMemoryMib[device] as number;
    const isWhole = this.deviceMode[device] === deviceMode.whole;
    assert(isWhole !== kind.isFraction, `device ${device} is not held the way it is given back`);
    this.#share(
      node,
      device,
      isWhole ? gpuMilliWhole : milliOn(kind, card),
      isWhole ? card : cardMemoryOn(kind, card),
      -1,
    );
    if (this.deviceSessions[device] === 0) {
      assert(
        this.deviceMilli[device] === gpuMilliWhole && this.deviceMemoryMib[device] === card,
        `device ${device} leaked a share`,
      );
      this.deviceMode[device] = deviceMode.idle;
      this.deviceOwner[device] = noOwner;
      this.idleGpus[node] = (this.idleGpus[node] as number) + 1;
    }
    this.#measureRoom(device);
  }

  #share(node: number, device: number, milli: number, memoryMib: number, sign: 1 | -1): void {
    this.deviceMilli[device] = (this.deviceMilli[device] as number) - sign * milli;
    this.deviceMemoryMib[device] = (this.deviceMemoryMib[device] as number) - sign * memoryMib;
    this.deviceSessions[device] = (this.deviceSessions[device] as number) + sign;
    this.gpuMilli[node] = (this.gpuMilli[node] as number) - sign * milli;
    this.usedMilli += sign * milli;
  }

  /**
   * What a fraction can still get: the lesser of compute and memory, both in thousandths of the card. Of a
   * card whose memory is not known compute alone decides.
   */
  #measureRoom(device: number): void {
    const card = this.cardMemoryMib[device] as number;
    const milli = this.deviceMilli[device] as number;
    // rounded down: what does not fit as a whole thousandth does not fit
    const byMemory =
      card > 0 ? Math.floor(((this.deviceMemoryMib[device] as number) * gpuMilliWhole) / card) : milli;
    this.deviceRoom[device] = Math.min(milli, byMemory);
  }

  /** Versions of nodes are those of their block, so that none is given twice: see `revert`. */
  #changed(node: number): void {
    const block = node >> blockBits;
    const version = (this.blockVersion[block] as number) + 1;
    this.blockVersion[block] = version;
    this.version[node] = version;
  }
}

// The books of a pool: what every node and device has left. Typed arrays, one lane per amount, so that a decision is a
// pass over memory. Every change bumps the node's version; caches and plans compare versions.
import { assert } from "@voda/stdx";
import { cardMemoryOn, type Kind, milliOn } from "./kind.ts";
import { type NodeSpec, nodesProblem } from "./node-spec.ts";
import { gpuMilliWhole } from "./resources.ts";

/** Modes of a device: they are never mixed on one device. */
export const deviceMode = { idle: 0, whole: 1, shared: 2, owned: 3 } as const;
/** 16 nodes have a version in common too: a block that is unchanged is skipped as a whole. */
export const blockBits = 4;
/** Lanes of `hosted`: fractions are lane 0, whole requests have the lane of their count. */
export const hostedLanes = 17;

const NO_OWNER = -1;

export class BooksError extends Error {
  override readonly name = "BooksError";
}

export class Books {
  readonly specs: readonly NodeSpec[];
  /** Nodes. */
  readonly count: number;
  /** Devices are numbered node * stride + position. */
  readonly stride: number;
  readonly models: readonly string[];

  readonly isReady: Uint8Array;
  readonly cpuMilli: Int32Array;
  /** Fractions of a MiB occur: see `defaultMemoryMib`. */
  readonly memoryMib: Float64Array;
  readonly diskMib: Int32Array;
  readonly cpuCapacity: Int32Array;
  readonly gpus: Uint8Array;
  /** Devices without a session, per node. */
  readonly idleGpus: Uint8Array;
  /** Free milli over all devices of a node. */
  readonly gpuMilli: Int32Array;
  readonly sessions: Int32Array;
  /** Sessions per node and size of GPU request. */
  readonly hosted: Int32Array;
  readonly version: Int32Array;
  readonly blockVersion: Int32Array;

  readonly deviceModel: Uint8Array;
  readonly cardMemoryMib: Int32Array;
  readonly deviceMode: Uint8Array;
  readonly deviceMilli: Int16Array;
  readonly deviceMemoryMib: Int32Array;
  /** Milli that a next fraction could get of a device when its memory is counted too. */
  readonly deviceRoom: Int16Array;
  readonly deviceOwner: Int32Array;
  readonly deviceSessions: Int32Array;

  readonly capacityMilli: number;
  usedMilli = 0;

  /** @throws BooksError that names the node and the limit. */
  constructor(specs: readonly NodeSpec[]) {
    const problem = nodesProblem(specs);
    if (problem !== undefined) throw new BooksError(problem);
    const count = specs.length;
    this.specs = specs;
    this.count = count;
    this.stride = specs.reduce((most, node) => Math.max(most, node.gpus.length), 1);
    this.models = [...new Set(specs.flatMap((node) => node.gpus.map((gpu) => gpu.model)))];
    this.isReady = new Uint8Array(count).fill(1);
    this.cpuMilli = Int32Array.from(specs, (node) => node.cpuMilli);
    this.cpuCapacity = this.cpuMilli.slice();
    this.memoryMib = Float64Array.from(specs, (node) => node.memoryMib);
    this.diskMib = Int32Array.from(specs, (node) => node.diskMib);
    this.gpus = Uint8Array.from(specs, (node) => node.gpus.length);
    this.idleGpus = this.gpus.slice();
    this.gpuMilli = Int32Array.from(specs, (node) => node.gpus.length * gpuMilliWhole);
    this.sessions = new Int32Array(count);
    this.hosted = new Int32Array(count * hostedLanes);
    this.version = new Int32Array(count).fill(1);
    this.blockVersion = new Int32Array((count >> blockBits) + 1).fill(1);
    const devices = count * this.stride;
    this.deviceModel = new Uint8Array(devices);
    this.cardMemoryMib = new Int32Array(devices);
    this.deviceMode = new Uint8Array(devices);
    this.deviceMilli = new Int16Array(devices);
    this.deviceRoom = new Int16Array(devices);
    this.deviceOwner = new Int32Array(devices).fill(NO_OWNER);
    this.deviceSessions = new Int32Array(devices);
    const modelNumbers = new Map(this.models.map((model, i) => [model, i]));
    for (const [node, spec] of specs.entries()) {
      for (const [i, gpu] of spec.gpus.entries()) {
        const device = node * this.stride + i;
        this.deviceModel[device] = modelNumbers.get(gpu.model) ?? 0;
        this.cardMemoryMib[device] = gpu.memoryMib;
        this.deviceMilli[device] = gpuMilliWhole;
        this.deviceRoom[device] = gpuMilliWhole;
      }
    }
    this.deviceMemoryMib = this.cardMemoryMib.slice();
    this.capacityMilli = this.gpuMilli.reduce((sum, milli) => sum + milli, 0);
  }

  setReady(node: number, isReady: boolean): void {
    this.isReady[node] = isReady ? 1 : 0;
    this.#changed(node);
  }

  /** Whether the node has the room that the kind needs, whatever the policy thinks of it. */
  fits(node: number, kind: Kind): boolean {
    if (this.isReady[node] === 0) return false;
    if ((this.cpuMilli[node] as number) < kind.cpuMilli || (this.memoryMib[node] as number) < kind.memoryMib) return false;
    if ((this.diskMib[node] as number) < kind.diskMib) return false;
    if (kind.gpuCount === 0) return true;
    return kind.isFraction ? this.#fitsFraction(node, kind) : this.#fitsWhole(node, kind);
  }

  #fitsWhole(node: number, kind: Kind): boolean {
    if ((this.idleGpus[node] as number) < kind.gpuCount) return false;
    if (kind.models === 0 && kind.gpuMemoryMib === 0) return true;
    let left = kind.gpuCount;
    const first = node * this.stride;
    for (let device = first; device < first + (this.gpus[node] as number); device++) {
      if (this.isWholeFor(device, kind) && --left === 0) return true;
    }
    return false;
  }

  #fitsFraction(node: number, kind: Kind): boolean {
    if ((this.gpuMilli[node] as number) < kind.gpuMilli) return false;
    const first = node * this.stride;
    for (let device = first; device < first + (this.gpus[node] as number); device++) {
      if (this.isShareFor(device, kind)) return true;
    }
    return false;
  }

  isModelFor(device: number, kind: Kind): boolean {
    return kind.models === 0 || ((kind.models >> (this.deviceModel[device] as number)) & 1) === 1;
  }

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

  isModeFor(device: number, kind: Kind): boolean {
    const mode = this.deviceMode[device];
    if (mode === deviceMode.idle) return true;
    if (kind.owner === NO_OWNER) return mode === deviceMode.shared;
    return mode === deviceMode.owned && this.deviceOwner[device] === kind.owner;
  }

  /** The device with the least left that takes the fraction; -1 when none does. The first wins ties. */
  tightestDevice(node: number, kind: Kind): number {
    const first = node * this.stride;
    let best = -1;
    for (let i = 0; i < (this.gpus[node] as number); i++) {
      const device = first + i;
      if (!this.isShareFor(device, kind)) continue;
      if (best < 0 || (this.deviceMilli[device] as number) < (this.deviceMilli[first + best] as number)) best = i;
    }
    return best;
  }

  /** Devices for the kind as a mask: the wished one for a fraction (the tightest at -1), the first idle ones for whole GPUs. */
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

  idOf(node: number): string {
    return this.specs[node]?.id ?? `#${node}`;
  }

  #book(node: number, kind: Kind, sign: 1 | -1): void {
    this.cpuMilli[node] = (this.cpuMilli[node] as number) - sign * kind.cpuMilli;
    this.memoryMib[node] = (this.memoryMib[node] as number) - sign * kind.memoryMib;
    this.diskMib[node] = (this.diskMib[node] as number) - sign * kind.diskMib;
    this.sessions[node] = (this.sessions[node] as number) + sign;
    if (kind.gpuCount > 0) {
      const lane = node * hostedLanes + (kind.isFraction ? 0 : kind.gpuCount);
      this.hosted[lane] = (this.hosted[lane] as number) + sign;
    }
    this.#changed(node);
  }

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
      this.deviceMode[device] = kind.owner === NO_OWNER ? deviceMode.shared : deviceMode.owned;
      this.deviceOwner[device] = kind.owner;
    }
    if (isIdle) this.idleGpus[node] = (this.idleGpus[node] as number) - 1;
    this.#measureRoom(device);
  }

  #giveDevice(node: number, device: number, kind: Kind): void {
    const card = this.cardMemoryMib[device] as number;
    const isWhole = this.deviceMode[device] === deviceMode.whole;
    assert(isWhole !== kind.isFraction, `device ${device} is not held the way it is given back`);
    this.#share(node, device, isWhole ? gpuMilliWhole : milliOn(kind, card), isWhole ? card : cardMemoryOn(kind, card), -1);
    if (this.deviceSessions[device] === 0) {
      assert(
        this.deviceMilli[device] === gpuMilliWhole && this.deviceMemoryMib[device] === card,
        `device ${device} leaked a share`,
      );
      this.deviceMode[device] = deviceMode.idle;
      this.deviceOwner[device] = NO_OWNER;
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

  #measureRoom(device: number): void {
    const card = this.cardMemoryMib[device] as number;
    const milli = this.deviceMilli[device] as number;
    const byMemory = card > 0 ? Math.floor(((this.deviceMemoryMib[device] as number) * gpuMilliWhole) / card) : milli;
    this.deviceRoom[device] = Math.min(milli, byMemory);
  }

  #changed(node: number): void {
    this.version[node] = (this.version[node] as number) + 1;
    const block = node >> blockBits;
    this.blockVersion[block] = (this.blockVersion[block] as number) + 1;
  }
}

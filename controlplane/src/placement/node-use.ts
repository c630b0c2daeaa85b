// What is taken of one node, in the terms of the API.
import { gpuMilliWhole } from "@voda/proto/placement";
import type { Books } from "./books.ts";

/** What is taken of one device, in thousandths and MiB. */
export interface DeviceUse {
  readonly uuid: string;
  readonly model: string;
  readonly memoryMib: number;
  readonly allocatedMilli: number;
  readonly allocatedMemoryMib: number;
  readonly sessions: number;
}

/** What is taken of one node, in thousandths of cores and MiB. */
export interface NodeUse {
  readonly isReady: boolean;
  readonly sessions: number;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly diskMib: number;
  readonly devices: readonly DeviceUse[];
}

/** By the books; the node itself may know more. */
export function useOf(books: Books, node: number): NodeUse {
  const { gpus = [], diskMib = 0 } = books.specs[node] ?? {};
  const device = (i: number): number => node * books.stride + i;
  return {
    isReady: books.isReady[node] === 1,
    sessions: books.sessions[node] as number,
    cpuMilli: (books.cpuCapacity[node] as number) - (books.cpuMilli[node] as number),
    memoryMib: (books.memoryCapacity[node] as number) - (books.memoryMib[node] as number),
    diskMib: diskMib - (books.diskMib[node] as number),
    devices: gpus.map(({ uuid, model, memoryMib }, i) => ({
      uuid,
      model,
      memoryMib,
      allocatedMilli: gpuMilliWhole - (books.deviceMilli[device(i)] as number),
      allocatedMemoryMib: memoryMib - (books.deviceMemoryMib[device(i)] as number),
      sessions: books.deviceSessions[device(i)] as number,
    })),
  };
}

// The live heap of a node, read through the inspector that SIGUSR1 opens: the node needs no code for it.
import { readFileSync } from "node:fs";
import * as v from "valibot";

/** A node that collects a large heap hears the signal late. */
const openMsMax = 10_000;
/** A forced collection of a heap of some GiB takes seconds. */
const answerMsMax = 30_000;
const pollMs = 20;

const Usage = v.object({ usedSize: v.number(), backingStorageSize: v.number() });
const Message = v.looseObject({
  id: v.optional(v.number()),
  result: v.optional(v.unknown()),
  error: v.optional(v.unknown()),
  method: v.optional(v.string()),
  params: v.optional(v.looseObject({ sessionId: v.optional(v.string()), message: v.optional(v.string()) })),
});

/** A connection to a node's inspector, which owns nothing of the node. */
export interface NodeHeap extends Disposable {
  /**
   * Bytes that live after a forced collection: objects and buffers, of the main thread and of all workers
   * together.
   */
  live(): Promise<number>;
}

/** @param logFile of the process: Node writes there where its inspector listens */
export async function openHeap(pid: number, logFile: string): Promise<NodeHeap> {
  // Node then opens its inspector, on a free port, and writes the address to the log.
  process.kill(pid, "SIGUSR1");
  const inspector = await connect(await addressIn(logFile));
  await inspector.ask(undefined, "NodeWorker.enable", { waitForDebuggerOnStart: false });
  // In bytes, with buffers outside of the heap.
  const liveOf = async (worker: string | undefined): Promise<number> => {
    // Without it what is free already would be counted too, and how much that is depends on the moment.
    await inspector.ask(worker, "HeapProfiler.collectGarbage", {});
    const { usedSize, backingStorageSize } = v.parse(
      Usage,
      await inspector.ask(worker, "Runtime.getHeapUsage", {}),
    );
    return usedSize + backingStorageSize;
  };
  return {
    async live() {
      const threads = await Promise.all([undefined, ...inspector.workers].map(liveOf));
      return threads.reduce((sum, bytes) => sum + bytes, 0);
    },
    [Symbol.dispose]: () => inspector.close(),
  };
}

/** The last one: the log is that of earlier processes too. */
async function addressIn(logFile: string): Promise<string> {
  for (const deadline = performance.now() + openMsMax; ; ) {
    const address = /Debugger listening on (ws:\S+)/g;
    const last = [...readFileSync(logFile, "utf8").matchAll(address)].at(-1)?.[1];
    if (last !== undefined) return last;
    if (performance.now() > deadline)
      throw new Error(`no inspector was opened in ${openMsMax} ms, says ${logFile}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** The main thread of a node and, through it, its workers. */
interface Inspector {
  readonly workers: ReadonlySet<string>;
  /** `worker`: undefined is the main thread. */
  ask(worker: string | undefined, method: string, params: object): Promise<unknown>;
  close(): void;
}

async function connect(address: string): Promise<Inspector> {
  const socket = new WebSocket(address);
  const workers = new Set<string>();
  const waiting = new Map<string, (message: v.InferOutput<typeof Message>) => void>();
  const open = Promise.withResolvers<void>();
  let next = 1;

  const receive = (worker: string | undefined, text: string): void => {
    const message = v.parse(Message, JSON.parse(text));
    const { method, params } = message;
    if (message.id !== undefined) waiting.get(`${worker} ${message.id}`)?.(message);
    else if (method === "NodeWorker.attachedToWorker" && params?.sessionId !== undefined)
      workers.add(params.sessionId);
    else if (method === "NodeWorker.detachedFromWorker" && params?.sessionId !== undefined)
      workers.delete(params.sessionId);
    // What a worker says comes wrapped into a message of the main thread's, and so goes what it is asked.
    else if (method === "NodeWorker.receivedMessageFromWorker")
      receive(params?.sessionId, params?.message ?? "");
  };
  socket.addEventListener("open", () => open.resolve());
  socket.addEventListener("error", () => open.reject(new Error(`cannot reach the inspector at ${address}`)));
  socket.addEventListener("message", ({ data }) => receive(undefined, String(data)));
  await open.promise;

  const ask = async (worker: string | undefined, method: string, params: object): Promise<unknown> => {
    const id = next++;
    const text = JSON.stringify({ id, method, params });
    const answered = Promise.withResolvers<v.InferOutput<typeof Message>>();
    const timer = setTimeout(
      () => answered.reject(new Error(`no answer to ${method} in ${answerMsMax} ms`)),
      answerMsMax,
    );
    waiting.set(`${worker} ${id}`, answered.resolve);
    // A worker is asked through the main thread, whose own answer says only that it was passed on.
    if (worker === undefined) socket.send(text);
    else await ask(undefined, "NodeWorker.sendMessageToWorker", { sessionId: worker, message: text });
    try {
      const { result, error } = await answered.promise;
      if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
      return result;
    } finally {
      clearTimeout(timer);
      waiting.delete(`${worker} ${id}`);
    }
  };
  return { workers, ask, close: () => socket.close() };
}

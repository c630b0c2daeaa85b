// Finds who holds a thread that does not beat: stops its code by the debugger, wherever it is, and asks it.
// Costs nothing before.
import type { InspectorNotification } from "node:inspector";
import { Session } from "node:inspector/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { readHolder, type ThreadHolder } from "./lines.ts";

/** Code inside one long call of Node's own does not stop for a debugger. */
const askMsMax = 2_000;

interface Paused {
  readonly callFrames: readonly {
    readonly callFrameId: string;
    readonly location: { readonly lineNumber: number; readonly columnNumber: number };
  }[];
}

/** `undefined` when it does not say. @throws when the debugger cannot attach */
export async function findHolder(thread: Worker): Promise<ThreadHolder | undefined> {
  const over = new AbortController();
  try {
    const asked = stopAndAsk(await attachmentOf(thread.threadId));
    return await Promise.race([asked, delay(askMsMax, undefined, { signal: over.signal })]);
  } finally {
    over.abort();
  }
}

/** Goes on after the answer came too late: a thread that has stopped must be let go. */
async function stopAndAsk(worker: Attachment): Promise<ThreadHolder | undefined> {
  await worker.post("Debugger.enable");
  const paused = worker.next<Paused>("Debugger.paused");
  const [{ callFrames }] = await Promise.all([paused, worker.post("Debugger.pause")]);
  const [frame] = callFrames;
  if (frame === undefined) return undefined;
  const { lineNumber, columnNumber } = frame.location;
  const { result } = await worker.post<{ readonly result: { readonly value?: string } }>(
    "Debugger.evaluateOnCallFrame",
    {
      callFrameId: frame.callFrameId,
      expression: `globalThis[Symbol.for("voda.holder")](${lineNumber}, ${columnNumber})`,
    },
  );
  await worker.post("Debugger.resume");
  await worker.post("Debugger.disable");
  return result.value === undefined ? undefined : readHolder(result.value);
}

interface Attachment {
  post<R>(method: string, params?: object): Promise<R>;
  next<P>(method: string): Promise<P>;
}

/**
 * One session for the life of the process, opened when it is first needed: it stays attached to all workers,
 * those that start later too. A second one is attached as well, but a thread in a loop never hears of it.
 */
let attachments: Promise<ReadonlyMap<number, Attachment>> | undefined;

async function attachmentOf(threadId: number): Promise<Attachment> {
  attachments ??= attachAll();
  const attachment = (await attachments).get(threadId);
  if (attachment === undefined) throw new Error(`the debugger is not attached to thread ${threadId}`);
  return attachment;
}

async function attachAll(): Promise<ReadonlyMap<number, Attachment>> {
  const session = new Session();
  session.connect();
  const byThread = new Map<number, Attachment>();
  const bySession = new Map<string, AttachedWorker>();
  session.on("NodeWorker.attachedToWorker", ({ params: { sessionId, workerInfo } }) => {
    const worker = new AttachedWorker(session, sessionId);
    bySession.set(sessionId, worker);
    // Its `workerId` counts those that the session has seen; only the title has the thread's own number.
    byThread.set(Number(/^\[worker (\d+)\]/.exec(workerInfo.title)?.[1]), worker);
  });
  session.on("NodeWorker.detachedFromWorker", ({ params: { sessionId } }) => {
    const worker = bySession.get(sessionId);
    bySession.delete(sessionId);
    for (const [threadId, one] of byThread) if (one === worker) byThread.delete(threadId);
  });
  session.on(
    "NodeWorker.receivedMessageFromWorker",
    ({ params }: InspectorNotification<{ readonly sessionId: string; readonly message: string }>) =>
      bySession.get(params.sessionId)?.receive(params.message),
  );
  await session.post("NodeWorker.enable", { waitForDebuggerOnStart: false });
  return byThread;
}

/** The protocol of a worker travels as text inside that of its parent. */
class AttachedWorker implements Attachment {
  readonly #session: Session;
  readonly #sessionId: string;
  readonly #answers = new Map<number, (result: unknown) => void>();
  readonly #events = new Map<string, (params: unknown) => void>();
  #last = 0;

  constructor(session: Session, sessionId: string) {
    this.#session = session;
    this.#sessionId = sessionId;
  }

  receive(message: string): void {
    const { id, result, method, params } = JSON.parse(message) as {
      readonly id?: number;
      readonly result?: unknown;
      readonly method?: string;
      readonly params?: unknown;
    };
    if (id !== undefined) {
      this.#answers.get(id)?.(result);
      this.#answers.delete(id);
    } else if (method !== undefined) {
      this.#events.get(method)?.(params);
      this.#events.delete(method);
    }
  }

  async post<R>(method: string, params: object = {}): Promise<R> {
    this.#last += 1;
    const id = this.#last;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#answers.set(id, resolve);
    const message = JSON.stringify({ id, method, params });
    await this.#session.post("NodeWorker.sendMessageToWorker", { sessionId: this.#sessionId, message });
    return (await promise) as R;
  }

  next<P>(method: string): Promise<P> {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#events.set(method, resolve);
    return promise as Promise<P>;
  }
}

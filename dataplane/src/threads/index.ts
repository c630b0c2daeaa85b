export { type Begun, BegunWriter, createBegunTable, readBegun } from "./begun.ts";
export {
  type Loss,
  pulseMs,
  type SessionEvent,
  type WorkerHandle,
  type WorkerSetup,
} from "./bundle-worker.ts";
export { type Ends, openChannel, type ThreadChannel, threadAnswersBytesMax } from "./channel.ts";
export {
  type FromWorker,
  fromWorker,
  type LogEntry,
  type SessionMessage,
} from "./from-worker.ts";
export { ownThread } from "./thread-time.ts";
export { type ToWorker, toWorker } from "./to-worker.ts";
export { type Deployed, heapMibMax, openWorkers, type Workers } from "./workers.ts";

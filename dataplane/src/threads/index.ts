export { type WorkerHandle, type WorkerSetup } from "./bundle-worker.ts";
export { type Channel, type Ends, openChannel } from "./channel.ts";
export {
  type FromWorker,
  fromWorkerFrame,
  type LogEntry,
  type LogLevel,
  pulseMs,
  type RunCall,
  readToWorker,
  type ToWorker,
} from "./messages.ts";
export { type Deployed, openWorkers, type Workers } from "./workers.ts";

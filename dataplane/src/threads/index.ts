export { pulseMs, type WorkerHandle, type WorkerSetup } from "./bundle-worker.ts";
export { type Channel, type Ends, openChannel } from "./channel.ts";
export { type FromWorker, fromWorker, type LogEntry, type LogLevel } from "./from-worker.ts";
export { type ToWorker, toWorker } from "./to-worker.ts";
export { type Deployed, openWorkers, type Workers } from "./workers.ts";

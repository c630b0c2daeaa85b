export type {
  Asked,
  CallersPort,
  HostWorld,
  MeshPort,
  Opened,
  Opening,
  Owned,
  Ports,
  Session,
  StorePort,
  Timers,
  WorkerPort,
} from "./ports.ts";
export { Reactor, type ReactorOptions, type WorkerEvent } from "./reactor.ts";

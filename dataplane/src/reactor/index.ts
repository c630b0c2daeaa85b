export type {
  AppendedRecord,
  CallersPort,
  HostWorld,
  LastSeen,
  MeshPort,
  Opened,
  Opening,
  Owned,
  Ports,
  Resolver,
  Session,
  StorePort,
  Timers,
  WorkerEvent,
  WorkerPort,
} from "./ports.ts";
export { Reactor, type ReactorOptions } from "./reactor.ts";

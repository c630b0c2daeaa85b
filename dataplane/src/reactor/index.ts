export type {
  AppendedRecord,
  CallersPort,
  DeadLetter,
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

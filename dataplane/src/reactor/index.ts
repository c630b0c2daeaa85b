export type {
  AppendedRecord,
  Burial,
  CallersPort,
  HostWorld,
  LastSeen,
  MeshPort,
  Opened,
  Opening,
  Owned,
  Ports,
  Resolver,
  StorePort,
  TimerPort,
  WorkerEvent,
  WorkerPort,
} from "./ports.ts";
export { Reactor, type ReactorOptions } from "./reactor.ts";

export type { AskSaid } from "./asks.ts";
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
  WorkerPort,
} from "./ports.ts";
export { Reactor, type ReactorOptions, type WorkerEvent } from "./reactor.ts";

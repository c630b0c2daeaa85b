import type { JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import type { Clock } from "@voda/stdx";
import type { Agents } from "../agents/agents.ts";
import type { Directory } from "../directory/directory.ts";
import type { PickContext } from "../scheduler/index.ts";

/** What the calls about sessions need of the control plane. */
export interface SessionContext extends PickContext {
  readonly connection: NatsConnection;
  readonly jsm: JetStreamManager;
  readonly agents: Agents;
  readonly directory: Directory;
  readonly clock: Clock;
}

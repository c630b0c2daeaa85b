import type { JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import type { PickContext } from "../picker/pick.ts";

/** What the calls about sessions need of the control plane. */
export interface SessionContext extends PickContext {
  readonly connection: NatsConnection;
  readonly jsm: JetStreamManager;
}

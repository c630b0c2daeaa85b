// Keeps the index of agents equal to the bucket `voda_agents`.
import { fromJsonString } from "@bufbuild/protobuf";
import type { KV, KvEntry } from "@nats-io/kv";
import { watchBucket } from "@voda/net";
import { type Agent, AgentSchema } from "@voda/proto/api";
import type { Logger } from "pino";
import type { Agents } from "./agents.ts";

/** Resolves when all that is deployed is in the index. What is not readable is left out and logged. */
export function watchAgents(kv: KV, agents: Agents, log: Logger): Promise<AsyncDisposable> {
  return watchBucket(kv, (entry) => {
    if (entry.operation === "PUT") accept(entry, agents, log);
    else agents.delete(entry.key);
  });
}

/** @throws when the value is no definition */
export function readAgent(entry: KvEntry): Agent {
  return fromJsonString(AgentSchema, entry.string(), { ignoreUnknownFields: true });
}

function accept(entry: KvEntry, agents: Agents, log: Logger): void {
  try {
    agents.set(readAgent(entry));
  } catch (error) {
    log.error(
      { err: error, key: entry.key, revision: entry.revision },
      "a definition in the bucket is not readable; it is left out",
    );
  }
}

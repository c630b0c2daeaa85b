// What is deployed: definitions from the bucket of agents, bundles from the object store onto this node's disk.
import { hash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fromJsonString } from "@bufbuild/protobuf";
import { Kvm, type KvWatchEntry } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { watchBucket } from "@voda/net";
import { type Agent, AgentSchema } from "@voda/proto/api";
import { agentsBucket, blobsBucket } from "@voda/proto/wire";
import type { Logger } from "pino";

export interface DeploymentsOptions {
  readonly connection: NatsConnection;
  /** Bundles are kept here as `<revision>.mjs`. */
  readonly folder: string;
  readonly log: Logger;
  /** The agent's bundle is on disk: run this revision from now on. */
  readonly onDeployed: (agent: Agent, bundleFile: string) => Promise<void>;
}

/** Resolves when everything that was deployed before has been handed to `onDeployed`; goes on with what comes. */
export async function watchDeployments(options: DeploymentsOptions): Promise<AsyncDisposable> {
  const { connection, log } = options;
  await mkdir(options.folder, { recursive: true });
  const bucket = await new Kvm(connection).open(agentsBucket);
  const blobs = await new Objm(connection).open(blobsBucket);

  const fetchBundle = async (revision: string): Promise<string> => {
    const file = join(options.folder, `${revision}.mjs`);
    if (existsSync(file)) return file;
    const bytes = await blobs.getBlob(revision);
    if (bytes === null) throw new Error(`bundle ${revision} is not in ${blobsBucket}`);
    if (hash("sha256", bytes) !== revision) throw new Error(`bundle ${revision} does not have that SHA-256`);
    await writeFile(`${file}.part`, bytes);
    await rename(`${file}.part`, file);
    return file;
  };

  const deploy = async (entry: KvWatchEntry): Promise<void> => {
    if (entry.operation !== "PUT") return;
    try {
      const agent = fromJsonString(AgentSchema, entry.string(), { ignoreUnknownFields: true });
      await options.onDeployed(agent, await fetchBundle(agent.revision));
      log.info({ namespace: agent.namespace, agent: agent.name, revision: agent.revision }, "agent deployed");
    } catch (err) {
      log.error({ err, key: entry.key }, "agent not deployed; the revision before it stays");
    }
  };

  return watchBucket(bucket, deploy);
}

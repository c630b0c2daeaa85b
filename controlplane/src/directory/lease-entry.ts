// One entry of the bucket `voda_nodes`, as an event of the lease machine.
import { fromJsonString } from "@bufbuild/protobuf";
import type { KvWatchEntry } from "@nats-io/kv";
import { type Lease, LeaseSchema } from "@voda/proto/node";
import type { LeaseEvent } from "../lease/index.ts";
import { nodeProblem } from "../placement/index.ts";
import type { DirectoryNode } from "./directory.ts";

/** What one entry of the bucket means. */
export interface LeaseEntry {
  readonly event: LeaseEvent;
  /** Absent when the entry ends a lease. */
  readonly node: DirectoryNode | undefined;
}

type Entry = Pick<KvWatchEntry, "key" | "operation" | "string">;

/**
 * A purge is the server's marker of a lease that nobody renewed; a deletion, like an obituary, is somebody's
 * word.
 * @throws when the value is no lease, or is that of another key
 */
export function readLeaseEntry(entry: Entry, nowMs: number): LeaseEntry {
  const [node = "", incarnation = ""] = entry.key.split(".");
  const of = { node, incarnation, nowMs };
  if (entry.operation === "PURGE") return { event: { type: "expired", ...of }, node: undefined };
  if (entry.operation === "DEL") return { event: { type: "obituary", ...of }, node: undefined };
  const lease = fromJsonString(LeaseSchema, entry.string(), { ignoreUnknownFields: true });
  if (lease.dead) return { event: { type: "obituary", ...of }, node: undefined };
  if (lease.node !== node || lease.incarnation !== incarnation) {
    throw new Error(`the lease under ${entry.key} says node ${lease.node}, incarnation ${lease.incarnation}`);
  }
  return { event: { type: "lease", succeeds: lease.succeeds, ...of }, node: describe(lease) };
}

function describe({ node, incarnation, ingress, zone, capacity }: Lease): DirectoryNode {
  if (capacity === undefined) throw new Error(`the lease of node ${node} names no capacity`);
  if (!/^[\d.]+:\d+$/.test(ingress))
    throw new Error(`the lease of node ${node} has ingress ${JSON.stringify(ingress)}, not ip:port`);
  const { cpuMilli, memoryMib, diskMib } = capacity;
  const gpus = capacity.gpus.map((gpu) => ({ uuid: gpu.uuid, model: gpu.model, memoryMib: gpu.memoryMib }));
  const described = { id: node, incarnation, ingress, cpuMilli, memoryMib, diskMib, gpus, zone };
  const problem = nodeProblem(described); // one node that a pool cannot hold must not keep it from the others
  if (problem !== undefined) throw new Error(`the lease of node ${node}: ${problem}`);
  return described;
}

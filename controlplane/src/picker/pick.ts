// Where a request for a session goes: to the node that has it, else to one chosen now, with a grant.
import { type SessionName, sessionToken } from "@voda/proto/session";
import type { Clock } from "@voda/stdx";
import type { Agents } from "../agents/agents.ts";
import type { Directory } from "../directory/directory.ts";
import type { GrantSigner } from "../grant/sign.ts";
import type { PoolRefusal, Refusal } from "../placement/index.ts";
import type { Scheduler } from "../scheduler/index.ts";

export interface PickContext {
  readonly agents: Agents;
  readonly directory: Directory;
  readonly scheduler: Scheduler;
  readonly signer: GrantSigner;
  readonly clock: Clock;
}

export type Pick =
  | { readonly kind: "owner"; readonly node: string; readonly ingress: string }
  | { readonly kind: "placed"; readonly node: string; readonly ingress: string; readonly grant: string }
  | { readonly kind: "unknown_agent" }
  | Refusal
  | PoolRefusal;

/** An awake session needs no grant; one that was only sent somewhere gets a new one for the same node. */
export function pick(context: PickContext, name: SessionName): Pick {
  const { agents, directory } = context;
  const token = sessionToken(name);
  const nowMs = context.clock.monotonicMs();
  const owner = directory.ownerOf(token, nowMs);
  if (owner?.isConfirmed === true) {
    const node = directory.node(owner.node);
    if (node !== undefined) return { kind: "owner", node: node.id, ingress: node.ingress };
  }
  const agent = agents.get(name.namespace, name.agent);
  if (agent === undefined) return { kind: "unknown_agent" };
  const placed = owner ?? context.scheduler.place(name);
  if ("kind" in placed && placed.kind === "refusal") return placed;
  const node = directory.node(placed.node);
  if (node === undefined) throw new Error(`session ${token} was placed on node ${placed.node}, which is not in the directory`);
  const { namespace, agent: agentName, key } = name;
  const grant = context.signer.sign(
    {
      session: token,
      namespace,
      agent: agentName,
      key,
      agentRevision: agent.revision,
      node: node.id,
      incarnation: node.incarnation,
      devices: placed.allocation.devices,
    },
    context.clock.wallMs(),
  );
  return { kind: "placed", node: node.id, ingress: node.ingress, grant };
}

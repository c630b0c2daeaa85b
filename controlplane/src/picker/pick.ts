// Where a request for a session goes: to the node that has it, else to one chosen now, with a grant.
import { type SessionName, type SessionToken, sessionToken } from "@voda/proto/session";
import { assert, type Clock } from "@voda/stdx";
import type { Agents } from "../agents/agents.ts";
import type { Directory, DirectoryNode } from "../directory/directory.ts";
import type { GrantSigner } from "../grant/sign.ts";
import type { GangRefusal } from "../placement/index.ts";
import type { Plan, Refused, Scheduler } from "../scheduler/index.ts";

export interface PickContext {
  readonly agents: Agents;
  readonly directory: Directory;
  readonly scheduler: Scheduler;
  readonly signer: GrantSigner;
  readonly clock: Clock;
  /** Milliseconds since 1970 by the clock of the store, which all nodes reach. */
  readonly storeMs: () => number;
}

export type Pick =
  | { readonly type: "owner"; readonly node: string; readonly ingress: string }
  | { readonly type: "placed"; readonly node: string; readonly ingress: string; readonly grant: string }
  | { readonly type: "unknown_agent" }
  | Refused;

/** An awake session needs no grant; one that was only sent somewhere gets a new one for the same node. */
export function pick(context: PickContext, name: SessionName): Pick {
  const session = sessionToken(name);
  const owner = ownerOf(context, session);
  if (owner !== undefined) return { type: "owner", node: owner.id, ingress: owner.ingress };
  const agent = context.agents.get(name.namespace, name.agent);
  if (agent === undefined) return { type: "unknown_agent" };
  const placed = context.scheduler.place(name, session);
  return placed.type === "refusal" ? placed : granted(context, { name, session }, placed);
}

/** One session of several that are wanted together. */
export interface Member {
  readonly name: SessionName;
  readonly node: string;
  /** Empty for one that is awake. */
  readonly grant: string;
  readonly wasAwake: boolean;
}

/**
 * A node for each of the sessions, or the refusal of the first that found none beside the others. Their
 * agents are deployed.
 */
export function pickAll(
  context: PickContext,
  names: readonly SessionName[],
): readonly Member[] | GangRefusal {
  const plans = context.scheduler.placeAll(names);
  if ("refusal" in plans) return plans;
  return plans.map((plan, i) => {
    const name = names[i];
    assert(name !== undefined, "there is one plan for each name");
    const session = sessionToken(name);
    const owner = ownerOf(context, session);
    if (owner !== undefined) return { name, node: owner.id, grant: "", wasAwake: true };
    const { node, grant } = granted(context, { name, session }, plan);
    return { name, node, grant, wasAwake: false };
  });
}

/** The node that says it has the session. */
function ownerOf({ directory, clock }: PickContext, session: SessionToken): DirectoryNode | undefined {
  const owner = directory.ownerOf(session, clock.monotonicMs());
  return owner?.isConfirmed === true ? directory.node(owner.node) : undefined;
}

function granted(
  context: PickContext,
  { name, session }: { readonly name: SessionName; readonly session: SessionToken },
  { node: id, devices }: Plan,
): Extract<Pick, { type: "placed" }> {
  const node = context.directory.node(id);
  const agent = context.agents.get(name.namespace, name.agent);
  if (node === undefined || agent === undefined)
    throw new Error(`session ${session} was placed on node ${id}, and the node or its agent is not known`);
  const { namespace, agent: agentName, key } = name;
  const grant = context.signer.sign(
    {
      session,
      namespace,
      agent: agentName,
      key,
      agentRevision: agent.revision,
      node: node.id,
      incarnation: node.incarnation,
      devices,
    },
    context.storeMs(),
  );
  return { type: "placed", node: node.id, ingress: node.ingress, grant };
}

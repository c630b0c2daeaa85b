// Where a request for a session goes: to the node that has it, else to one chosen now, with a grant.
import type { SessionName } from "@voda/proto/session";
import type { DirectoryNode } from "../directory/directory.ts";
import type { GrantSigner } from "../grant/sign.ts";
import type { GangRefusal } from "../placement/index.ts";
import type { Plan } from "./decision.ts";
import type { Refused, Scheduler, UnknownAgent, UnknownMember } from "./scheduler.ts";

/** Who decides, who signs, and what time it is for a signature. */
export interface PickContext {
  readonly scheduler: Scheduler;
  readonly signer: GrantSigner;
  /** Milliseconds since 1970 by the clock of the store, which all nodes reach. */
  readonly storeMs: () => number;
}

/** An awake session needs no grant; one that was only sent somewhere gets a new one for the same node. */
export type Picked =
  | { readonly type: "owner"; readonly node: DirectoryNode }
  | { readonly type: "placed"; readonly node: DirectoryNode; readonly grant: string }
  | UnknownAgent
  | Refused;

/** Answers from memory within one tick of the event loop: Envoy waits for it. */
export function pick(context: PickContext, name: SessionName): Picked {
  const place = context.scheduler.place(name);
  if (place.type === "awake") return { type: "owner", node: place.node };
  return place.type === "plan"
    ? { type: "placed", node: place.node, grant: grantFor(context, place) }
    : place;
}

/** One session of several that are wanted together. */
export interface PickedMember {
  readonly name: SessionName;
  /** Its node's id. */
  readonly node: string;
  /** Empty for one that is awake. */
  readonly grant: string;
  readonly wasAwake: boolean;
}

/** A node for each of the sessions, or the refusal of the first that found none beside the others. */
export function pickAll(
  context: PickContext,
  names: readonly SessionName[],
): readonly PickedMember[] | GangRefusal | UnknownMember {
  const places = context.scheduler.placeAll(names);
  if ("type" in places) return places;
  return places.map((place) => ({
    name: place.name,
    node: place.node.id,
    grant: place.type === "plan" ? grantFor(context, place) : "",
    wasAwake: place.type === "awake",
  }));
}

function grantFor(
  { signer, storeMs }: PickContext,
  { name, session, node, devices, agentRevision }: Plan,
): string {
  const { namespace, agent, key } = name;
  const { id, incarnation } = node;
  return signer.sign(
    { session, namespace, agent, key, agentRevision, node: id, incarnation, devices },
    storeMs(),
  );
}

// What a wake finds in the hands of another node: nobody claims over a live lease (PROTOCOL.md 5.1).
import { hopsMax } from "./constants.ts";
import type { Pass } from "./lane.ts";
import type { LaneRecord } from "./record.ts";
import { failCall, failWork, forwardWork, tooManyHops } from "./share.ts";
import type { Incarnation } from "./types.ts";

/** Passes everything on when another node may own the session. `record`: the last of its lane. */
export function sendsElsewhere(pass: Pass, record: LaneRecord): boolean {
  const to = ownerElsewhere(pass, record);
  if (to === undefined) return false;
  const { lane, out } = pass;
  const { queue, controls } = lane;
  lane.queue = [];
  lane.controls = [];
  lane.waking = undefined;
  lane.owed = undefined;
  for (const work of queue) {
    if (work.waiters.some((waiter) => waiter.hops >= hopsMax)) failWork(pass, work, tooManyHops(hopsMax));
    else forwardWork(pass, work, to);
  }
  for (const { number: call, hops, mayHaveBegun } of controls) {
    if (hops >= hopsMax) failCall(pass, call, tooManyHops(hopsMax));
    else out.push({ type: "forward", call, incarnation: to, mayHaveBegun });
  }
  out.push({ type: "cold", why: "dropped" });
  return true;
}

function ownerElsewhere({ lane, world }: Pass, record: LaneRecord): Incarnation | undefined {
  const owner = record.rid.incarnation;
  const isFree = record.type === "gone" || (record.type === "fold" && record.released);
  if (isFree || owner === world.incarnation) return undefined;
  const standing = world.standing(owner);
  if (standing.type === "living") return owner;
  // the ended owner's next life keeps the session in memory, and may claim without a read: it comes first,
  // unless it could not be reached
  const { successor } = standing;
  return successor === world.incarnation || successor === lane.unreachable ? undefined : successor;
}

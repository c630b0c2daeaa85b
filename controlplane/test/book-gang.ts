import type { GangPlan } from "../src/placement/gang.ts";
import type { Pool } from "../src/placement/pool.ts";

/** Books all members, as whoever planned them does before anything else is booked. */
export function bookGang(pool: Pool, { plans }: GangPlan): void {
  for (const { request, kind, node, mask } of plans) pool.book({ request, kind, node, mask });
}

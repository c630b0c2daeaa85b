export { type Identity, openIdentity } from "./identity.ts";
export {
  type Membership,
  type MembershipEvent,
  type MembershipOptions,
  openMembership,
} from "./membership.ts";
export { type Ended, type Member } from "./roster.ts";
export { leaseTtlMs, readWindowMs } from "./window.ts";

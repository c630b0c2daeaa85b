export { type Identity, openIdentity } from "./identity.ts";
export { type Membership, type MembershipEvent, type MembershipOptions, openMembership } from "./membership.ts";
export { type Ended, leaseSilenceMs, type Member } from "./roster.ts";
export { leaseRenewMs, leaseTtlMs, readWindowMs } from "./window.ts";

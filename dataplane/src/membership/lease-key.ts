// Keys and values of the bucket `voda_nodes`: `<node>.<incarnation>` holds a lease, an obituary, or the
// server's expiry marker.
import { create, fromJsonString, type MessageInitShape, toJsonString } from "@bufbuild/protobuf";
import { type Lease, LeaseSchema } from "@voda/proto/node";
import { nodesBucket } from "@voda/proto/wire";

/** Node part of an obituary for an incarnation whose node is not known. */
export const unknownNode = "unknown";
/**
 * The stream under the bucket: leases are read and appended as messages, since a KV client has no fence over
 * several keys.
 */
export const nodesStream = `KV_${nodesBucket}`;
const keyPrefix = `$KV.${nodesBucket}.`;

/** One key per life of a node: an old life's obituary and a new life's lease do not meet. */
export const leaseSubject = (node: string, incarnation: string): string =>
  `${keyPrefix}${node}.${incarnation}`;
/** Filter of all leases. */
export const leaseSubjects = `${keyPrefix}>`;
/** The last token of a lease's subject. */
export const incarnationOf = (subject: string): string => subject.slice(subject.lastIndexOf(".") + 1);
/**
 * Fence of everything about one incarnation: a lease, a renewal and an obituary exclude each other whatever
 * their node part.
 */
export const leaseFence = (incarnation: string): string => `${keyPrefix}*.${incarnation}`;

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** Protobuf as JSON: an operator can read it with the nats CLI, and a later version may add fields. */
export function encodeLease(lease: MessageInitShape<typeof LeaseSchema>): Uint8Array {
  return utf8.encode(toJsonString(LeaseSchema, create(LeaseSchema, lease)));
}

/** What the value of a key says. */
export type LeaseValue =
  | { readonly type: "lease"; readonly lease: Lease }
  /** `isClosed`: whoever held it said so, and was not ended by anything. */
  | { readonly type: "ended"; readonly isClosed: boolean }
  /** Not ours, or of a later version: it proves nothing. */
  | { readonly type: "unreadable" };

/** A marker of the server has no bytes. */
export function decodeEntry(bytes: Uint8Array): LeaseValue {
  if (bytes.length === 0) return { type: "ended", isClosed: false };
  let lease: Lease;
  try {
    lease = fromJsonString(LeaseSchema, text.decode(bytes), { ignoreUnknownFields: true });
  } catch {
    return { type: "unreadable" };
  }
  return lease.dead ? { type: "ended", isClosed: lease.closed } : { type: "lease", lease };
}

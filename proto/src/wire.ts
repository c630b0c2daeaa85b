// The contracts that have one place in code: headers, subjects, buckets, sizes, reasons.
import type { SessionToken } from "./name.ts";
import { shardOf } from "./name.ts";

/** HTTP and gRPC headers. */
export const headers = {
  session: "x-voda-session",
  namespace: "x-voda-namespace",
  agent: "x-voda-agent",
  /** Owner hint: `ip:port` of a node ingress, minted by the owner, echoed by clients. */
  host: "x-voda-host",
  token: "x-voda-token",
  idempotencyKey: "idempotency-key",
  /**
   * `{client}.{seq}.{lowest}`: 32 hexadecimal digits of the client's own, the number of the call, the lowest
   * without an answer.
   */
  call: "x-voda-call",
  requestId: "x-request-id",
  traceparent: "traceparent",
  /** Internal: stripped from client requests by Envoy, set by the picker. */
  grant: "x-voda-grant",
  /**
   * Internal: stripped from client requests by Envoy, which adds the mesh's own secret: only then did the
   * rest come through Envoy.
   */
  edge: "x-voda-edge",
} as const;

/** Same value as the header `x-voda-host`. */
export const hostCookie = "voda_host";

/**
 * In source maps of bundles: `voda:agents/chat.ts` is a file below the folder of the config, whatever machine
 * made it.
 */
export const sourceScheme = "voda:";

/** Numbers of one client in one session, from the lowest without an answer on: beyond them it waits. */
export const callNumbersMax = 1024;
/** Whether a client may begin this call while `lowest` is its lowest without an answer. */
export const isCallNumber = (seq: number, lowest: number): boolean =>
  seq >= lowest && seq - lowest < callNumbersMax;
/** A numbered call lasts so long at most: its number holds up those above it. A longer one takes a key. */
export const numberedMsMax = 60_000;
/** Bytes of one call's body. */
export const bodyBytesMax = 4 * 1024 * 1024;
/** Bytes of the delta and the answer of one turn together: they become one record. */
export const turnBytesMax = 1024 * 1024;
/**
 * Bytes that the values of one session occupy in memory, roughly. Each snapshot writes, and each wake
 * reads, all that changed in one piece, while the other sessions of the thread wait.
 */
export const stateBytesMax = 32 * 1024 * 1024;
/** Headers of one call through Envoy. */
export const headersMax = 256;
/** Bytes of the headers of one call. */
export const headersBytesMax = 64 * 1024;
/** From now until a timer is due: nobody keeps a session for longer. */
export const timerMsMax = 100 * 366 * 86_400_000;
/** Between two times of one timer. */
export const everyMsMin = 1_000;
/** Characters of the id of a timer. */
export const timerIdCharsMax = 128;
/** Characters of a pattern of times, and of the name of a time zone. */
export const cronCharsMax = 128;
/** Characters of what an agent says of one of its handlers. */
export const descriptionCharsMax = 1024;
/** Bytes of one frame between nodes: a body and its head. */
export const busFrameBytesMax = 5 * 1024 * 1024;
/** Bytes of one message at NATS, as the servers are configured: the largest frame, and room. */
export const natsPayloadBytesMax = 8 * 1024 * 1024;
/** Bytes of one page of a snapshot, with its envelope. */
export const pageBytesMax = 64 * 1024;

/** Stream with the records of the lanes; names at NATS may get a prefix of the deployment. */
export const logStream = (index: number): string => `VODA_LOG_${index}`;
/** Stream with the pages of the snapshots. */
export const snapshotStream = (index: number): string => `VODA_SNAP_${index}`;
/** Stream with the high-water marks of the lanes, and with what waits to be trimmed. */
export const marksStream = (index: number): string => `VODA_MARK_${index}`;
/** KV bucket with the leases of the nodes. */
export const nodesBucket = "voda_nodes";
/** KV bucket with the definitions of the deployed agents. */
export const agentsBucket = "voda_agents";
/**
 * KV bucket with what both planes must know to believe each other: keys of grants, the secret of the edge.
 */
export const keysBucket = "voda_keys";
/**
 * Key of `voda_keys`: the value of the header `x-voda-edge`, 64 hexadecimal digits, made once for a mesh. All
 * others are keys of grants.
 */
export const edgeSecretKey = "edge";
/** Object store with the bundles, by their SHA-256. */
export const blobsBucket = "voda_blobs";
/** KV bucket with the quotas of the namespaces. */
export const quotasBucket = "voda_quotas";

/** Subjects of one session in its log stream (PROTOCOL.md 3). */
export const laneSubjects = (token: SessionToken) => {
  const base = `v.log.${shardOf(token)}.${token}`;
  return {
    /** Records, folds, the tombstone. */
    plain: `${base}.d.p`,
    /** The filter of the fence: everything that only the owner writes. */
    fence: `${base}.d.*`,
    /** The name record, written once. */
    name: `${base}.i`,
  };
};
/**
 * The session has sent what is not delivered yet: whoever finds the bell of a node that is gone wakes it. In
 * the log itself: what a loss of power leaves of a lane, it leaves the bell of.
 */
export const bellSubject = (token: SessionToken): string => `v.log.bell.${token}`;
/** Filter of all bells. */
export const bellSubjects = "v.log.bell.*";
/** A message that was given up. `source`: 32 hexadecimal digits of who sent it, `n`: its number there. */
export const deadSubject = (token: SessionToken, source: string, n: number): string =>
  `v.log.dead.${token}.${source}.${n}`;
/** Filter of all messages that were given up. */
export const deadSubjects = "v.log.dead.>";
/** Where a record of any format names the life of the node that wrote it: behind envelope and flags. */
const writerAt = 17;
const incarnationBytes = 16;
/** A hint, unchecked: an incarnation as 32 hexadecimal digits, if the bytes are a record. */
export function writerOf(record: Uint8Array): string {
  let text = "";
  for (const byte of record.subarray(writerAt, writerAt + incarnationBytes))
    text += byte.toString(16).padStart(2, "0");
  return text;
}
/** The last record of the session that was acknowledged. */
export const markSubject = (token: SessionToken): string => `v.mark.${token}.m`;
/** Filter of all marks. */
export const markSubjects = "v.mark.*.m";
/** The session sleeps, and records before its last can go soon. */
export const trimSubject = (token: SessionToken): string => `v.mark.${token}.t`;
/** Filter of all sessions that wait to be trimmed. */
export const trimSubjects = "v.mark.*.t";
/** Name of a page of a snapshot: used once, so what lies under it never changes. */
export interface PageName {
  /** Ownership epoch of the writer: two owners never write the same name. */
  readonly epoch: number;
  /** Counts the pages of one epoch, over all its snapshots. */
  readonly index: number;
}
/** A page that is to be written under that name. */
export interface NamedPage {
  readonly name: PageName;
  readonly bytes: Uint8Array;
}
/** A part of a snapshot as it was taken: at most `pageBytesMax`, with 16 bytes of SHA-256 over it. */
export interface HashedPage {
  readonly hash: Uint8Array;
  readonly bytes: Uint8Array;
}
/** A page as a fold names it: one with another hash counts as missing. */
export interface PageReference extends PageName {
  /** 16 bytes of SHA-256 over the page. */
  readonly hash: Uint8Array;
}
export const pageSubject = (token: SessionToken, { epoch, index }: PageName): string =>
  `v.snap.${shardOf(token)}.${token}.p.${epoch}.${index}`;
/** Frames for a node, in one of the lanes between two nodes. */
export const framesSubject = (node: string, lane: number): string => `v.dp.${node}.${lane}`;
/** A node says that it lives. */
export const heartbeatSubject = (node: string): string => `v.hb.${node}`;
/** A node says to the control plane what it hosts. */
export const reportSubject = (node: string): string => `v.cp.report.${node}`;
/** The control plane asks a node for something. */
export const commandSubject = (node: string): string => `v.cp.command.${node}`;
/** The control plane asks all nodes to report anew. */
export const resyncSubject = "v.cp.resync";
export const trialSubject = "v.cp.trial";

/** Status of what nats-server answers by itself when nobody listens to a subject. */
export const noResponders = 503;
/** JetStream's error code for insufficient resources. */
export const storeIsFull = 10023;

/** A bundle that does not load in this time is refused. */
export const bundleLoadMsMax = 10_000;

/** Connect's codes in their wire form. */
export type Code =
  | "canceled"
  | "unknown"
  | "invalid_argument"
  | "deadline_exceeded"
  | "not_found"
  | "already_exists"
  | "permission_denied"
  | "resource_exhausted"
  | "failed_precondition"
  | "aborted"
  | "out_of_range"
  | "unimplemented"
  | "internal"
  | "unavailable"
  | "data_loss"
  | "unauthenticated";

/** Domain of `google.rpc.ErrorInfo` in every error voda makes. */
export const errorDomain = "voda.dev";

/**
 * Why voda itself refuses or fails a call, with its one code. `user` carries the code that the handler threw.
 */
export const reasons = {
  user: "unknown",
  internal: "internal",
  bad_request: "invalid_argument",
  invalid_input: "invalid_argument",
  invalid_result: "internal",
  agent_not_found: "not_found",
  method_not_found: "unimplemented",
  decision_not_found: "not_found",
  quota_not_found: "not_found",
  dead_letter_not_found: "not_found",
  workflow_not_found: "not_found",
  workflow_exists: "already_exists",
  workflow_ended: "failed_precondition",
  workflow_cancelled: "canceled",
  workflows_full: "resource_exhausted",
  grant_refused: "permission_denied",
  origin_refused: "permission_denied",
  not_owner: "unavailable",
  draining: "unavailable",
  closed: "unavailable",
  store_away: "unavailable",
  store_full: "resource_exhausted",
  worker_lost: "unavailable",
  no_capacity: "resource_exhausted",
  queue_full: "resource_exhausted",
  outbox_full: "resource_exhausted",
  journal_full: "resource_exhausted",
  quota: "resource_exhausted",
  namespace_quota: "resource_exhausted",
  too_large: "resource_exhausted",
  fenced: "aborted",
  busy: "aborted",
  turn_timeout: "deadline_exceeded",
  step_timeout: "deadline_exceeded",
  wait_timeout: "deadline_exceeded",
  interrupted: "canceled",
  not_rested: "failed_precondition",
  not_taken: "failed_precondition",
  deadlock: "failed_precondition",
  asks_too_deep: "failed_precondition",
  schema: "failed_precondition",
  idempotency_key_reused: "invalid_argument",
  answer_not_kept: "already_exists",
  unsupported_format: "failed_precondition",
  corrupt: "data_loss",
  data_loss: "data_loss",
} as const satisfies Record<string, Code>;
/** Metadata of an error: nobody can tell whether the call took effect. */
export const unknownEffect = { effect: "unknown" } as const;

/** A reason that voda itself gives. */
export type Reason = keyof typeof reasons;

/**
 * Whether the same call with the same idempotency key should be sent again. Not after `deadline_exceeded`:
 * its own time is over, or the turn would run as long again.
 */
export function isRetryable(code: Code, reason: string, retryAfterMs: number | undefined): boolean {
  if (code === "unavailable") return true;
  if (code === "aborted") return reason !== "user";
  // turns that wait for each other may end by themselves; a session that waits for itself does not
  const maySayWhen =
    code === "resource_exhausted" || (code === "failed_precondition" && reason === "deadlock");
  return maySayWhen && retryAfterMs !== undefined;
}

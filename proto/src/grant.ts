// Grants (PROTOCOL 5.8): what is in them and when a node heeds one. The signature is checked around this.
import { identifierProblem, isSessionToken, keyProblem, type SessionToken, sessionToken } from "./session.ts";

/** A share of one GPU, or all of it. */
export interface DeviceShare {
  readonly uuid: string;
  /** Never shared with another session. */
  readonly whole: boolean;
  /** Thousandths of the device's time; 1000 of a whole one. */
  readonly milli: number;
  readonly memoryMib: number;
}

/** The payload of the compact JWS (EdDSA) in `x-voda-grant`; its header names the key as `kid`. */
export interface GrantClaims {
  readonly session: SessionToken;
  readonly namespace: string;
  readonly agent: string;
  readonly key: string;
  /** SHA-256 of the bundle that the control plane knew, lower-case hex. */
  readonly agentRevision: string;
  readonly node: string;
  readonly incarnation: string;
  /** What the session gets of the node's GPUs. */
  readonly devices: readonly DeviceShare[];
  /** Seconds since 1970. */
  readonly iat: number;
  readonly exp: number;
  readonly nonce: string;
}

/** A grant lives no longer, so that a placement that nobody came for is soon free again. */
export const grantSecondsMax = 10;
/** Bytes of the compact form; longer ones are refused unread. */
export const grantBytesMax = 4096;
/** Clocks of control planes and nodes may differ by this much. */
const clockSkewSeconds = 1;

/**
 * Why a grant is not heeded. A void one counts as none: it has expired, or comes from the future because two
 * clocks differ, or the proxy took it to another node than it was given for, because that one had gone; the
 * caller did nothing wrong. Anything else is `permission_denied/grant_refused`.
 */
export type GrantProblem = { readonly type: "void" } | { readonly type: "refused"; readonly message: string };

/** What a node holds against a grant that came with a call. */
export interface GrantUse {
  readonly session: SessionToken;
  readonly node: string;
  readonly incarnation: string;
  readonly nowMs: number;
}

/** Reads the payload of a JWS whose signature is good; a text says what is wrong with it. */
export function parseGrantClaims(payload: unknown): GrantClaims | string {
  if (typeof payload !== "object" || payload === null) return "the grant is not an object";
  const claims = payload as Partial<Record<keyof GrantClaims, unknown>>;
  const { namespace, agent, key, devices, iat, exp, session } = claims;
  for (const name of [
    "namespace",
    "agent",
    "key",
    "agentRevision",
    "node",
    "incarnation",
    "nonce",
    "session",
  ] as const) {
    if (typeof claims[name] !== "string") return `the grant has no text ${name}`;
  }
  if (!Number.isSafeInteger(iat) || !Number.isSafeInteger(exp))
    return "the grant has no whole seconds in iat and exp";
  if (!Array.isArray(devices) || !devices.every(isDeviceShare)) return "the grant has no list of devices";
  const problem =
    identifierProblem("namespace", String(namespace)) ??
    identifierProblem("agent", String(agent)) ??
    keyProblem(String(key));
  if (problem !== undefined) return `the grant names no session: ${problem}`;
  if (!isSessionToken(String(session))) return "the grant has no session token";
  return claims as GrantClaims;
}

function isDeviceShare(value: unknown): value is DeviceShare {
  if (typeof value !== "object" || value === null) return false;
  const { uuid, whole, milli, memoryMib } = value as Partial<Record<keyof DeviceShare, unknown>>;
  return typeof uuid === "string" && typeof whole === "boolean" && isAmount(milli) && isAmount(memoryMib);
}

function isAmount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Whether a grant permits what a node is about to do; `undefined` means yes. */
export function grantProblem(claims: GrantClaims, use: GrantUse): GrantProblem | undefined {
  const { namespace, agent, key, iat, exp } = claims;
  if (claims.session !== sessionToken({ namespace, agent, key }))
    return refused("its session token is not that of its name");
  if (claims.session !== use.session)
    return refused(`it is for session ${claims.session}, not ${use.session}`);
  if (exp <= iat || exp - iat > grantSecondsMax)
    return refused(`its life of ${exp - iat} s exceeds grantSecondsMax ${grantSecondsMax}`);
  const now = use.nowMs / 1000;
  const isHere = claims.node === use.node && claims.incarnation === use.incarnation;
  const isNow = iat <= now + clockSkewSeconds && now < exp;
  return isHere && isNow ? undefined : { type: "void" };
}

function refused(why: string): GrantProblem {
  return { type: "refused", message: `the grant is refused: ${why}` };
}

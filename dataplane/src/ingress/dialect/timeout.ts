// How long a caller is willing to wait, as the protocols say it.
import { headerOf, type RequestHead } from "../head.ts";
import { refuse } from "../refusal.ts";

const msPerUnit: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** @throws Refusal */
export function grpcTimeoutMs(head: RequestHead): number | undefined {
  const value = headerOf(head, "grpc-timeout");
  if (value === undefined) return undefined;
  const [, digits, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(value) ?? [];
  const scale = msPerUnit[unit];
  if (digits === undefined || scale === undefined)
    throw refuse(
      "bad_request",
      `grpc-timeout ${value.slice(0, 40)} is not 1 to 8 digits and one of H M S m u n`,
    );
  return Number(digits) * scale;
}

/** @throws Refusal */
export function connectTimeoutMs(head: RequestHead): number | undefined {
  const value = headerOf(head, "connect-timeout-ms");
  if (value === undefined) return undefined;
  if (!/^\d{1,10}$/.test(value))
    throw refuse("bad_request", `connect-timeout-ms ${value.slice(0, 40)} is not 1 to 10 digits`);
  return Number(value);
}

import { type Head, headerOf } from "./head.ts";
import { refuse } from "./refusal.ts";

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** What the caller is willing to wait, in milliseconds: `grpc-timeout` or `connect-timeout-ms`. @throws Refusal */
export function timeoutMs(head: Head): number | undefined {
  const grpc = headerOf(head, "grpc-timeout");
  if (grpc !== undefined) {
    const [, digits, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(grpc) ?? [];
    const scale = MS_PER_UNIT[unit];
    if (digits === undefined || scale === undefined) {
      throw refuse(
        "bad_request",
        `grpc-timeout ${grpc.slice(0, 40)} is not 1 to 8 digits and one of H M S m u n`,
      );
    }
    return Number(digits) * scale;
  }
  const connect = headerOf(head, "connect-timeout-ms");
  if (connect === undefined) return undefined;
  if (!/^\d{1,10}$/.test(connect))
    throw refuse("bad_request", `connect-timeout-ms ${connect.slice(0, 40)} is not 1 to 10 digits`);
  return Number(connect);
}

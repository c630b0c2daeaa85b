// Numbers of the codes, as gRPC and Connect have them.
import type { Code } from "@voda/proto/wire";

export const codeNumbers: Readonly<Record<Code, number>> = {
  canceled: 1,
  unknown: 2,
  invalid_argument: 3,
  deadline_exceeded: 4,
  not_found: 5,
  already_exists: 6,
  permission_denied: 7,
  resource_exhausted: 8,
  failed_precondition: 9,
  aborted: 10,
  out_of_range: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  data_loss: 15,
  unauthenticated: 16,
};

const codes = new Map(Object.entries(codeNumbers).map(([code, number]) => [number, code as Code]));

export function codeOf(number: number): Code | undefined {
  return codes.get(number);
}

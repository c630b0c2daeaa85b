// Codes by their number, as gRPC and Connect have them.
import { grpcCodes } from "@voda/proto/errors";
import type { Code } from "@voda/proto/wire";

const codes = new Map<number, Code>(
  Object.entries(grpcCodes).map(([code, number]) => [number, code as Code]),
);

export function codeOf(number: number): Code | undefined {
  return codes.get(number);
}

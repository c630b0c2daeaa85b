import type { Code } from "@voda/proto/wire";

const finalCodes: ReadonlySet<Code> = new Set<Code>([
  "invalid_argument",
  "not_found",
  "already_exists",
  "permission_denied",
  "failed_precondition",
  "out_of_range",
  "unimplemented",
  "unauthenticated",
]);

/** The same call would be refused the same way again. */
export const isFinalCode = (code: Code): boolean => finalCodes.has(code);

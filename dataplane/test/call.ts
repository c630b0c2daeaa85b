// A call for tests: everything that a test does not name is plain.
import { sessionToken } from "@voda/proto/session";
import { type Call, type CallHead, draftCall } from "../src/call/index.ts";

const name = { namespace: "default", agent: "counter", key: "k" };

export type CallParts = Partial<Omit<Call, "head">> & { readonly head?: Partial<CallHead> };

/** Its deadline is `deadlineMs` by the clock of whoever gets it. */
export function plainCall(number: number, deadlineMs: number, { head, ...more }: CallParts = {}): Call {
  const to = { name, token: sessionToken(more.name ?? name), deadlineMs };
  const call = draftCall(to, more.body ?? new Uint8Array(0), number);
  Object.assign(call.head, head);
  return Object.assign(call, { method: "add" }, more);
}

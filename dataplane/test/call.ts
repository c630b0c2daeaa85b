// A call for tests: everything that a test does not name is plain.
import { sessionToken } from "@voda/proto/session";
import { anonymous, type Call, type CallHead, noChain } from "../src/call/index.ts";

const name = { namespace: "default", agent: "counter", key: "k" };

export type CallParts = Partial<Omit<Call, "head">> & { readonly head?: Partial<CallHead> };

/** Its deadline is `deadlineMs` by the clock of whoever gets it. */
export function plainCall(number: number, deadlineMs: number, { head, ...more }: CallParts = {}): Call {
  const body = more.body ?? new Uint8Array(0);
  return {
    head: {
      number,
      type: "invoke",
      readonly: false,
      deadlineMs,
      id: undefined,
      hops: 0,
      mayHaveBegun: false,
      onBusy: "queue",
      bytes: body.length,
      ...head,
    },
    name,
    token: sessionToken(more.name ?? name),
    method: "add",
    content: "json",
    body,
    caller: anonymous,
    traceparent: undefined,
    requestId: undefined,
    chain: noChain,
    grant: undefined,
    devices: undefined,
    ...more,
  };
}

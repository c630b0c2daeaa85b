// Where calls from the ingress come in: a grant is checked before anything else looks at the call.

import type { Grants, Verdict } from "../controls/index.ts";
import type { Reply, Sessions } from "../host/index.ts";
import { fail, type Invocation } from "../invocation.ts";

export interface Entering {
  /** The caller went away. */
  cancel(): void;
}

function granted(invocation: Invocation, verdict: Exclude<Verdict, { type: "refused" }>): Invocation {
  return verdict.type === "granted"
    ? { ...invocation, devices: verdict.devices }
    : { ...invocation, grant: undefined };
}

export function enter(
  parts: { readonly grants: Grants; readonly sessions: Sessions },
  invocation: Invocation,
  reply: Reply,
): Entering {
  const { grants, sessions } = parts;
  if (invocation.grant === undefined) return { cancel: sessions.enter("invoke", invocation, reply) };
  let isCancelled = false;
  let cancel = (): void => {
    isCancelled = true;
  };
  void grants.verify(invocation.grant, invocation.token).then((verdict) => {
    if (verdict.type === "refused") reply(fail("grant_refused", verdict.message), {});
    else if (isCancelled) reply(fail("interrupted", "the caller went away before the call ran"), {});
    else cancel = sessions.enter("invoke", granted(invocation, verdict), reply);
  });
  return { cancel: () => cancel() };
}

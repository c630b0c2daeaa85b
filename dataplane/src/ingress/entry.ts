// Where calls from the ingress come in: a grant is checked before anything else looks at the call.
import { type Call, type Enter, fail, type Reply, type TakeBack } from "../call/index.ts";
import type { Grants, Verdict } from "../controls/index.ts";

function granted(call: Call, verdict: Exclude<Verdict, { type: "refused" }>): Call {
  return verdict.type === "granted" ? { ...call, devices: verdict.devices } : { ...call, grant: undefined };
}

export function enter(
  parts: { readonly grants: Grants; readonly sessions: { readonly enter: Enter } },
  call: Call,
  reply: Reply,
): TakeBack {
  const { grants, sessions } = parts;
  if (call.grant === undefined) return sessions.enter(call, reply);
  let isCancelled = false;
  let takeBack: TakeBack = () => {
    isCancelled = true;
  };
  void grants.verify(call.grant, call.token).then((verdict) => {
    if (verdict.type === "refused") reply(fail("grant_refused", verdict.message), {});
    else if (isCancelled) reply(fail("interrupted", "the caller went away before the call ran"), {});
    else takeBack = sessions.enter(granted(call, verdict), reply);
  });
  return (why) => takeBack(why);
}

// Letters as calls: what a session has sent goes to its target's lane, under the number that it has for ever.
import { type Agent, MethodMode } from "@voda/proto/api";
import type { SessionName } from "@voda/proto/session";
import { type Call, draftCall, type Failed, fail, noAskedMethod, tokenOf } from "../call/index.ts";
import type { Letter } from "../lane/index.ts";

const nothing = new Uint8Array(0);

interface LetterCall {
  readonly letter: Letter;
  /** Where it goes. */
  readonly name: SessionName;
  /** The birth id of the session that has sent it, and its name as `agent/key`. */
  readonly source: Uint8Array;
  readonly sender: string;
  /** It is to be taken no more. */
  readonly isGivenUp: boolean;
  /** It may have been on its way when a node ended. */
  readonly isSuspect: boolean;
}

/** `deadlineMs`: monotonic. */
export function callOf(
  { letter, name, source, sender, isGivenUp, isSuspect }: LetterCall,
  number: number,
  deadlineMs: number,
): Call {
  const { n, method } = letter;
  const body = isGivenUp ? nothing : letter.body;
  const call = draftCall({ name, token: tokenOf(name), deadlineMs }, body, number);
  if (isGivenUp) call.head.type = "deliver";
  call.head.isSuspect = isSuspect;
  call.head.id = { type: "sent", source, n, rawHash: source };
  call.method = method;
  call.chain = [sender];
  return call;
}

/** Why nothing can be sent to the method. */
export function letterRefusal(agent: Agent, method: string): Failed | undefined {
  const found = agent.methods.find((one) => one.name === method);
  if (found === undefined) return noAskedMethod(agent, method);
  if (found.mode !== MethodMode.READONLY) return undefined;
  return fail(
    "bad_request",
    `${method} of agent ${agent.name} is readonly: ask it with ctx.ask, or send to a handler that writes`,
  );
}

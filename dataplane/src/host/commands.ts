// Orders of the control plane, as answers of the node.
import { create } from "@bufbuild/protobuf";
import { type Command, CommandKind, type CommandResult, CommandResultSchema } from "@voda/proto/node";
import { sessionNameProblem, sessionToken } from "@voda/proto/session";
import type { Failure } from "../invocation.ts";
import type { Grants } from "./grants.ts";
import type { Sessions } from "./sessions.ts";

const orders = { [CommandKind.SLEEP]: "sleep", [CommandKind.WAKE]: "wake", [CommandKind.END]: "end" } as const;

export async function obey(parts: { readonly grants: Grants; readonly sessions: Sessions }, command: Command): Promise<CommandResult> {
  const { kind, namespace, agent, key, grant, deadlineMs } = command;
  const name = { namespace, agent, key };
  const problem = sessionNameProblem(name);
  if (problem !== undefined) return failed({ code: "invalid_argument", reason: "bad_request", message: problem });
  if (kind === CommandKind.UNSPECIFIED) return failed({ code: "invalid_argument", reason: "bad_request", message: "a command without a kind" });
  const token = sessionToken(name);
  // A session that is not in memory here sleeps already, or is somebody else's.
  if (kind === CommandKind.SLEEP && parts.sessions.epochOf(token) === 0) return create(CommandResultSchema);
  const verdict = grant === "" ? undefined : await parts.grants.verify(grant, token);
  if (verdict?.type === "refused") return failed({ code: "permission_denied", reason: "grant_refused", message: verdict.message });
  const granted = verdict?.type === "granted" ? grant : undefined;
  const answer = await parts.sessions.order(orders[kind], name, Number(deadlineMs), granted);
  return answer.ok ? create(CommandResultSchema, { epoch: BigInt(parts.sessions.epochOf(token)) }) : failed(answer.failure);
}

function failed({ code, reason, message }: Failure): CommandResult {
  return create(CommandResultSchema, { code, reason, message });
}

// WakeSessions: all of several sessions on nodes, or none of them.
import { CommandKind } from "@voda/proto/node";
import { type SessionName, sessionToken } from "@voda/proto/session";
import { ControlError } from "../errors.ts";
import { sendCommand } from "../nats/command.ts";
import { gangMembersMax } from "../placement/index.ts";
import { callerRefusal, type PickedMember, pickAll, refusedRetryMs } from "../scheduler/index.ts";
import { refusalOf } from "./pick-refusal.ts";
import { agentNotFound } from "./refs.ts";
import type { SessionContext } from "./session-context.ts";

/** A member that is awake; `epoch` is that of its lane. */
export interface Woken {
  readonly name: SessionName;
  readonly node: string;
  readonly epoch: bigint;
}

/** A member that takes longer fails its gang. */
const wakeMsMax = 10_000;
/** How long each of the members that were woken may take to fall asleep again. */
const undoMsMax = 5_000;

/**
 * @throws ControlError that names the member and says why: then nothing is reserved, and what this call woke
 * sleeps again
 */
export async function wakeAll(
  context: SessionContext,
  names: readonly SessionName[],
  callMs: number,
): Promise<readonly Woken[]> {
  check(names);
  const members = pickAll(context, names);
  if ("type" in members && members.type === "unknown_agent") {
    const { namespace = "", agent = "" } = names[members.member] ?? {};
    throw agentNotFound(namespace, agent);
  }
  if ("refusal" in members) {
    const member = textOf(names[members.member]);
    const refusal = callerRefusal(members.refusal, refusedRetryMs);
    const message = `${member} found no place beside the others: ${refusal.message}`;
    throw await refusalOf(context, { ...refusal, message });
  }
  const timeoutMs = Math.min(callMs, wakeMsMax);
  const outcomes = await Promise.allSettled(members.map((member) => wake(context, member, timeoutMs)));
  const failed = outcomes.findIndex(({ status }) => status === "rejected");
  if (failed < 0)
    return outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  const left = await undo(context, members, outcomes);
  throw failure(members[failed], outcomes[failed], left);
}

/** @throws ControlError `bad_request` */
function check(names: readonly SessionName[]): void {
  if (names.length === 0) throw ControlError.of("bad_request", "the request names no session");
  if (names.length > gangMembersMax)
    throw ControlError.of("bad_request", `${names.length} sessions exceed gangMembersMax ${gangMembersMax}`);
  const seen = new Set<string>();
  for (const name of names) {
    const token = sessionToken(name);
    if (seen.has(token)) throw ControlError.of("bad_request", `session ${textOf(name)} is named twice`);
    seen.add(token);
  }
}

async function wake(
  context: SessionContext,
  { name, node, grant }: PickedMember,
  timeoutMs: number,
): Promise<Woken> {
  const { epoch } = await sendCommand(context, {
    kind: CommandKind.WAKE,
    name,
    node,
    grant,
    timeoutMs,
    idleMsMin: 0,
  });
  context.directory.told(sessionToken(name), { node, epoch, isAwake: true });
  return { name, node, epoch };
}

/**
 * Those that were awake before stay so. Returns those that were woken and did not say that they sleep again.
 */
async function undo(
  context: SessionContext,
  members: readonly PickedMember[],
  outcomes: readonly PromiseSettledResult<Woken>[],
): Promise<readonly SessionName[]> {
  const left: SessionName[] = [];
  const sleep = async ({ name, node, wasAwake }: PickedMember, wasWoken: boolean): Promise<void> => {
    if (wasAwake) return;
    // given up first: of a session that nobody expects, a report says only that it is gone
    context.scheduler.release(name);
    const command = { kind: CommandKind.SLEEP, name, node, grant: "", timeoutMs: undoMsMax, idleMsMin: 0 };
    await sendCommand(context, command).catch((error: unknown) => {
      if (!(error instanceof ControlError)) throw error;
      // one that did not say that it woke knows until when it might have
      if (wasWoken) left.push(name);
    });
  };
  await Promise.all(members.map((member, i) => sleep(member, outcomes[i]?.status === "fulfilled")));
  return left;
}

/** The first that failed is told; the others may have failed for its sake. */
function failure(
  member: PickedMember | undefined,
  outcome: PromiseSettledResult<Woken> | undefined,
  left: readonly SessionName[],
): unknown {
  const error: unknown = outcome?.status === "rejected" ? outcome.reason : undefined;
  if (!(error instanceof ControlError) || member === undefined) return error;
  const { code, reason } = error;
  const others =
    left.length === 0
      ? "those that this call woke sleep again"
      : `may still be awake: ${left.map(textOf).join(", ")}`;
  const message = `${textOf(member.name)} was not woken on ${member.node}: ${error.message}; ${others}`;
  return new ControlError({
    code,
    reason,
    message,
    ...(reason === "no_capacity" && { retryAfterMs: refusedRetryMs }),
  });
}

function textOf(name: SessionName | undefined): string {
  return `${name?.agent}/${name?.key}`;
}

// Orders of the control plane, as answers of the node.
import { create } from "@bufbuild/protobuf";
import {
  type Command,
  CommandKind,
  type CommandResult,
  CommandResultSchema,
  type Redelivery,
} from "@voda/proto/node";
import { type SessionName, type SessionToken, sessionNameProblem, sessionToken } from "@voda/proto/session";
import { type Answer, type Failure, fail } from "../call/index.ts";
import { type DescribedSession, waitsOf } from "./waits.ts";

/** What the control plane may want done with sessions of this node. */
export interface CommandedSessions {
  hasRested(token: SessionToken, forMs: number): boolean;
  sleep(token: SessionToken): Promise<void>;
  /** `deadlineMs`: monotonic. The grant is checked by whoever carries the order out. */
  order(
    type: "wake" | "end",
    name: SessionName,
    deadlineMs: number,
    grant: string | undefined,
  ): Promise<Answer>;
  /** The message is taken once, however often it comes. */
  redeliver(
    message: Redelivery,
    name: SessionName,
    deadlineMs: number,
    grant: string | undefined,
  ): Promise<Answer>;
  /** `undefined`: it is not in memory here. Nothing is woken for it. */
  describe(name: SessionName, deadlineMs: number): Promise<DescribedSession | undefined>;
  epochOf(token: SessionToken): number;
}

export interface CommandParts {
  readonly sessions: CommandedSessions;
  readonly monotonicMs: () => number;
  readonly storeMs: () => number;
}

const orders: ReadonlyMap<CommandKind, "sleep" | "wake" | "end" | "redeliver" | "describe"> = new Map([
  [CommandKind.SLEEP, "sleep"],
  [CommandKind.WAKE, "wake"],
  [CommandKind.END, "end"],
  [CommandKind.REDELIVER, "redeliver"],
  [CommandKind.DESCRIBE, "describe"],
]);

/**
 * Never rejects for what the command says: what is wrong with it is in the result, with code and reason.
 * The deadline of the command is in the time of the store, which its sender shares.
 */
export async function carryOut(parts: CommandParts, command: Command): Promise<CommandResult> {
  const { kind, namespace, agent, key, grant, deadlineMs } = command;
  const name = { namespace, agent, key };
  const order = orders.get(kind);
  const problem = order === undefined ? `there is no command of kind ${kind}` : sessionNameProblem(name);
  if (order === undefined || problem !== undefined)
    return failed({ code: "invalid_argument", reason: "bad_request", message: problem ?? "" });
  const remainingMs = Number(deadlineMs) - parts.storeMs();
  // Whoever sent it takes it for not done: a node that was stopped for a while must not wake sessions then.
  if (remainingMs < 0)
    return failed({
      code: "deadline_exceeded",
      reason: "turn_timeout",
      message: `the command came ${-remainingMs} ms too late`,
    });
  const token = sessionToken(name);
  if (order === "sleep") {
    // One that is not in memory here sleeps already, or is somebody else's.
    const { idleMsMin } = command;
    if (idleMsMin > 0 && !parts.sessions.hasRested(token, idleMsMin)) {
      const message = `session ${agent}/${key} had work within the last ${idleMsMin} ms; take another one or try later`;
      return failed({ code: "failed_precondition", reason: "not_rested", message });
    }
    return sleep(parts, name, remainingMs);
  }
  if (order === "describe") return describe(parts, name, remainingMs);
  const atMs = parts.monotonicMs() + remainingMs;
  const granted = grant === "" ? undefined : grant;
  const answer = await (order === "redeliver"
    ? redeliver(command, (redelivery) => parts.sessions.redeliver(redelivery, name, atMs, granted))
    : parts.sessions.order(order, name, atMs, granted));
  return answer.ok
    ? create(CommandResultSchema, { epoch: BigInt(parts.sessions.epochOf(token)) })
    : failed(answer.failure);
}

/** Of a command's time: its thread may be held, and what is known without it is told all the same. */
const threadShare = 0.75;

async function describe(parts: CommandParts, name: SessionName, withinMs: number): Promise<CommandResult> {
  const { sessions, monotonicMs, storeMs } = parts;
  const described = await sessions.describe(name, monotonicMs() + withinMs * threadShare);
  if (described === undefined) return create(CommandResultSchema);
  const epoch = BigInt(sessions.epochOf(sessionToken(name)));
  return create(CommandResultSchema, { epoch, waits: waitsOf(described, name.namespace, storeMs()) });
}

const sourceBytes = 16;

async function redeliver(
  { redelivery }: Command,
  deliver: (redelivery: Redelivery) => Promise<Answer>,
): Promise<Answer> {
  if (redelivery?.source.length !== sourceBytes)
    return fail("bad_request", `a message that is delivered again has a source of ${sourceBytes} bytes`);
  return deliver(redelivery);
}

/** A call that runs, or a store that does not answer, holds it up beyond the time of whoever waits. */
async function sleep(
  { sessions }: CommandParts,
  name: SessionName,
  withinMs: number,
): Promise<CommandResult> {
  const late = Promise.withResolvers<"late">();
  const timer = setTimeout(() => late.resolve("late"), withinMs);
  try {
    const outcome = await Promise.race([sessions.sleep(sessionToken(name)), late.promise]);
    if (outcome !== "late") return create(CommandResultSchema);
  } finally {
    clearTimeout(timer);
  }
  const message =
    `session ${name.agent}/${name.key} was not asleep within ${Math.round(withinMs)} ms: ` +
    "a call of it runs, or the store does not answer; it falls asleep when that ends";
  return failed({ code: "deadline_exceeded", reason: "turn_timeout", message });
}

function failed({ code, reason, message }: Failure): CommandResult {
  return create(CommandResultSchema, { code, reason, message });
}

// Sends a command to the node that has, or shall have, a session.
import { setTimeout as delay } from "node:timers/promises";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type NatsConnection, NoRespondersError, RequestError, TimeoutError } from "@nats-io/transport-node";
import {
  type CommandKind,
  type CommandResult,
  CommandResultSchema,
  CommandSchema,
  type Redelivery,
} from "@voda/proto/node";
import type { SessionName } from "@voda/proto/session";
import { type Code, commandSubject } from "@voda/proto/wire";
import { ControlError } from "../errors.ts";
import { storeAway } from "./store-refusal.ts";

/** What a node is asked to do with one session. */
export interface SessionCommand {
  readonly kind: CommandKind;
  readonly name: SessionName;
  readonly node: string;
  readonly grant: string;
  readonly timeoutMs: number;
  /** Only with SLEEP: refused with `not_rested` when the session had work within this time. */
  readonly idleMsMin: number;
  /** Only with REDELIVER. */
  readonly redelivery?: Redelivery;
}

/** The node ends what it was asked for at the deadline and says so: its answer may be this late. */
const answerMsMax = 500;
/** A server that is alive answers a ping in a millisecond. */
const pongMsMax = 500;

/** How nodes are reached, and the store's clock, by which they are told until when. */
export interface CommandContext {
  readonly connection: NatsConnection;
  readonly storeMs: () => number;
}

/**
 * What the node has answered.
 * @throws ControlError what the node answered, `closed` when it did not, `store_away` when NATS did not
 */
export async function sendCommand(
  { connection, storeMs }: CommandContext,
  command: SessionCommand,
): Promise<CommandResult> {
  const { kind, name, node, grant, timeoutMs, idleMsMin, redelivery } = command;
  const { namespace, agent, key } = name;
  const deadlineMs = BigInt(Math.round(storeMs() + timeoutMs));
  const body = toBinary(
    CommandSchema,
    create(CommandSchema, {
      kind,
      namespace,
      agent,
      key,
      grant,
      deadlineMs,
      idleMsMin,
      ...(redelivery && { redelivery }),
    }),
  );
  const result = fromBinary(
    CommandResultSchema,
    await request(connection, { node, body, timeoutMs: timeoutMs + answerMsMax }),
  );
  const { code, reason, message } = result;
  if (code !== "") throw new ControlError({ code: code as Code, reason, message });
  return result;
}

async function request(
  connection: NatsConnection,
  { node, body, timeoutMs }: { readonly node: string; readonly body: Uint8Array; readonly timeoutMs: number },
): Promise<Uint8Array> {
  try {
    return (await connection.request(commandSubject(node), body, { timeout: timeoutMs })).data;
  } catch (error) {
    const cause = error instanceof RequestError ? error.cause : error;
    if (error instanceof NoRespondersError || cause instanceof NoRespondersError) {
      throw ControlError.of("closed", `node ${node} does not take commands; it may just have stopped`);
    }
    if (!(error instanceof TimeoutError || cause instanceof TimeoutError)) throw error;
    if (!(await answers(connection))) throw storeAway(`nats-server did not answer within ${timeoutMs} ms`);
    throw ControlError.of(
      "closed",
      `node ${node} did not answer within ${timeoutMs} ms; the command may have taken effect: try again`,
    );
  }
}

/** A server that is frozen keeps the connection: a node may have been asked nothing, and renews no lease. */
export async function answers(connection: NatsConnection): Promise<boolean> {
  const pong = connection.flush().then(
    () => true,
    () => false,
  );
  return Promise.race([pong, delay(pongMsMax, false, { ref: false })]);
}

// SessionService: where sessions are, and moving them through their life by commands to nodes.
import { create } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { type Session, SessionSchema, type SessionService, SessionStatus, type Waits } from "@voda/proto/api";
import { CommandKind, type Redelivery } from "@voda/proto/node";
import { defaultNamespace, identifierProblem, type SessionName, sessionToken } from "@voda/proto/session";
import type { Owner } from "../directory/directory.ts";
import { ControlError } from "../errors.ts";
import { type SessionCommand, sendCommand } from "../nats/command.ts";
import { callerRefusal, pick } from "../scheduler/index.ts";
import { deliverAgain, dropDeadLetter, listDeadLetters } from "./dead-letters.ts";
import { bellOf, inLog, namesFrom } from "./lanes.ts";
import { acceptLoss, listLost } from "./lost-sessions.ts";
import { refusalOf } from "./pick-refusal.ts";
import { agentNotFound, nameOf } from "./refs.ts";
import type { SessionContext } from "./session-context.ts";
import { wakeAll } from "./wake-sessions.ts";

const pageSizeDefault = 100;
const pageSizeMax = 1_000;
/** Name records read for one page; a filter that matches few of them gets short pages with a token. */
const scanMax = 10_000;
/** Longer than a node takes to open or fold a session; also the most, whatever a caller asks for. */
const commandMsDefault = 30_000;

/**
 * Answers come from the directory where a node has the session, and else from the log: nothing is kept here
 * that could contradict both.
 */
export function sessionService(context: SessionContext): ServiceImpl<typeof SessionService> {
  return {
    async getSession(request) {
      return { session: await find(context, nameOf(request.session)) };
    },
    async describeSession(request, call) {
      const name = nameOf(request.session);
      const session = await find(context, name);
      const { waits, wakesAtMs } = await lookAt(context, session, timeout(call).timeoutMs);
      // It may have fallen asleep meanwhile.
      return { session: waits === undefined ? await stored(context, name) : session, waits, wakesAtMs };
    },
    listSessions: (request) => list(context, request),
    async sleepSession(request, call) {
      const name = nameOf(request.session);
      return { session: await sleep(context, name, timeout(call).timeoutMs) };
    },
    async wakeSession(request, call) {
      const name = nameOf(request.session);
      const { node, epoch } = await commandAnywhere(context, CommandKind.WAKE, { name, ...timeout(call) });
      context.directory.told(sessionToken(name), { node, epoch, isAwake: true });
      return { session: describe(name, SessionStatus.AWAKE, { node, epoch }) };
    },
    async wakeSessions(request, call) {
      const woken = await wakeAll(context, request.sessions.map(nameOf), timeout(call).timeoutMs);
      return {
        sessions: woken.map(({ name, node, epoch }) => describe(name, SessionStatus.AWAKE, { node, epoch })),
      };
    },
    /** A session that is asleep is woken to be ended: only its owner may append to its lane. */
    async endSession(request, call) {
      const name = nameOf(request.session);
      const { status, node, epoch } = await find(context, name);
      if (status !== SessionStatus.UNBORN)
        await commandAnywhere(context, CommandKind.END, { name, ...timeout(call) });
      context.directory.told(sessionToken(name), { node, epoch, isAwake: false });
      return {};
    },
    listLostSessions: ({ pageToken }) => listLost(context.jsm, pageToken),
    listDeadLetters: (request) => listDeadLetters(context.jsm, request),
    async retryDeadLetter({ id }, call) {
      const order = (name: SessionName, redelivery: Redelivery): Promise<unknown> =>
        commandAnywhere(context, CommandKind.REDELIVER, { name, redelivery, ...timeout(call) });
      return { letter: await deliverAgain(context.jsm, id, order) };
    },
    async dropDeadLetter({ id }) {
      return { letter: await dropDeadLetter(context.jsm, id) };
    },
    async acceptLoss(request, call) {
      const name = nameOf(request.session);
      const wake = () => commandAnywhere(context, CommandKind.WAKE, { name, ...timeout(call) });
      return { lost: await acceptLoss(context, name, wake) };
    },
  };
}

function timeout(call: HandlerContext): { readonly timeoutMs: number } {
  return { timeoutMs: Math.max(1, Math.min(call.timeoutMs() ?? commandMsDefault, commandMsDefault)) };
}

/** A session that is not awake is on no node, and its epoch is the log's to know. */
function describe(
  name: SessionName,
  status: SessionStatus,
  at: { node?: string; epoch?: bigint } = {},
): Session {
  return create(SessionSchema, { ...name, status, ...at });
}

function ownerOf(context: SessionContext, name: SessionName): Owner | undefined {
  return context.directory.ownerOf(sessionToken(name), context.clock.monotonicMs());
}

/** Only what its node has reported: one that was placed may still be refused there. */
function awake(context: SessionContext, name: SessionName): Session | undefined {
  const owner = ownerOf(context, name);
  return owner?.isConfirmed === true
    ? describe(name, SessionStatus.AWAKE, { node: owner.node, epoch: owner.epoch })
    : undefined;
}

/** The directory first: it answers from memory, and what it has confirmed is newer than the log. */
async function find(context: SessionContext, name: SessionName): Promise<Session> {
  return awake(context, name) ?? (await stored(context, name));
}

/** One that is awake is asked; of one that sleeps the bell is read. */
async function lookAt(
  context: SessionContext,
  { namespace, agent, key, status, node }: Session,
  timeoutMs: number,
): Promise<{ waits?: Waits; wakesAtMs: bigint }> {
  const name = { namespace, agent, key };
  if (status === SessionStatus.AWAKE) {
    const asked = { kind: CommandKind.DESCRIBE, name, node, grant: "", timeoutMs, idleMsMin: 0 };
    const { waits } = await sendCommand(context, asked);
    if (waits !== undefined) return { waits, wakesAtMs: 0n };
  }
  const bell = await bellOf(context.jsm, sessionToken(name));
  return { wakesAtMs: bell === undefined ? 0n : BigInt(Math.max(1, bell.dueMs)) };
}

/** What the log says of a session that no node has in memory. */
async function stored(context: SessionContext, name: SessionName): Promise<Session> {
  const found = await inLog(context.jsm, sessionToken(name));
  return describe(name, found === undefined ? SessionStatus.UNBORN : SessionStatus.ASLEEP);
}

/**
 * On the node that has it, or may have it: one that it was just sent to, or that wrote its last record. Their
 * reports may be on the way, and a node that has it not does nothing.
 */
async function sleep(context: SessionContext, name: SessionName, timeoutMs: number): Promise<Session> {
  const { directory } = context;
  const token = sessionToken(name);
  const owner = ownerOf(context, name);
  const found = owner === undefined ? await inLog(context.jsm, token) : undefined;
  const writer = directory.nodes().find(({ incarnation }) => incarnation === found?.writer);
  const node = owner?.node ?? writer?.id;
  if (node !== undefined) {
    await sendCommand(context, { kind: CommandKind.SLEEP, name, node, grant: "", timeoutMs, idleMsMin: 0 });
    if (owner !== undefined) directory.told(token, { ...owner, isAwake: false });
  } else if (found === undefined && context.agents.get(name.namespace, name.agent) === undefined) {
    // A session of a removed agent may still be in the log; what is in neither place is a misspelt name.
    throw agentNotFound(name.namespace, name.agent);
  }
  return owner?.isConfirmed === true || found !== undefined
    ? describe(name, SessionStatus.ASLEEP)
    : stored(context, name);
}

/** To the owner, or to a node chosen now, with a grant. */
async function commandAnywhere(
  context: SessionContext,
  kind: CommandKind,
  { name, timeoutMs, redelivery }: Ordered,
): Promise<{ node: string; epoch: bigint }> {
  const picked = pick(context, name);
  // A session cannot be placed without what its agent asks for; its log is kept all the same.
  if (picked.type === "unknown_agent") throw agentNotFound(name.namespace, name.agent);
  if (picked.type === "refusal") {
    throw await refusalOf(context, callerRefusal(picked, picked.retryMs));
  }
  // Its owner needs none: it has the session already.
  const grant = picked.type === "placed" ? picked.grant : "";
  const node = picked.node.id;
  const { epoch } = await sendCommand(context, {
    kind,
    name,
    node,
    grant,
    timeoutMs,
    idleMsMin: 0,
    ...(redelivery && { redelivery }),
  });
  return { node, epoch };
}

type Ordered = Pick<SessionCommand, "name" | "timeoutMs" | "redelivery">;

/** Of `ListSessions`; an empty agent means all. */
interface ListRequest {
  readonly namespace: string;
  readonly agent: string;
  readonly pageSize: number;
  readonly pageToken: string;
}

/** A session that no node has is listed as asleep: names are written after the first claim. */
async function list(
  context: SessionContext,
  request: ListRequest,
): Promise<{ sessions: Session[]; nextPageToken: string }> {
  const { namespace, agent, size, sequence } = checkList(request);
  const sessions: Session[] = [];
  let scanned = 0;
  let next = sequence;
  for await (const record of namesFrom(context.jsm, sequence)) {
    // Before the record is counted: the token then names the first that was not looked at.
    if (sessions.length === size || scanned === scanMax) return { sessions, nextPageToken: String(next) };
    scanned += 1;
    next = record.next;
    if (record.name.namespace !== namespace || (agent !== "" && record.name.agent !== agent)) continue;
    sessions.push(awake(context, record.name) ?? describe(record.name, SessionStatus.ASLEEP));
  }
  return { sessions, nextPageToken: "" };
}

/** A token is the sequence in the stream of names where the next page begins. */
function checkList(request: ListRequest): {
  namespace: string;
  agent: string;
  size: number;
  sequence: number;
} {
  const namespace = request.namespace === "" ? defaultNamespace : request.namespace;
  const problem =
    identifierProblem("namespace", namespace) ??
    (request.agent === "" ? undefined : identifierProblem("agent", request.agent)) ??
    (/^\d{0,15}$/.test(request.pageToken) ? undefined : "page_token is not one that ListSessions gave out");
  if (problem !== undefined) throw ControlError.of("bad_request", problem);
  const size = request.pageSize === 0 ? pageSizeDefault : Math.min(request.pageSize, pageSizeMax);
  return { namespace, agent: request.agent, size, sequence: Math.max(1, Number(request.pageToken)) };
}

// What the node tells the control planes, and what they ask of it.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { DeviceShare } from "@voda/proto/grant";
import {
  type Activation,
  ActivationSchema,
  type Command,
  type CommandResult,
  CommandResultSchema,
  CommandSchema,
  HeartbeatSchema,
  ReportSchema,
  ResyncSchema,
} from "@voda/proto/node";
import type { SessionName, SessionToken } from "@voda/proto/session";
import { commandSubject, heartbeatSubject, reportSubject, resyncSubject } from "@voda/proto/wire";
import type { Logger } from "pino";

/**
 * A control plane takes a node for silent after some of them are missing; the lease alone says that it is
 * dead.
 */
export const heartbeatIntervalMs = 1_000;
/** Changes wait this long for company before they are reported. */
export const reportDelayMs = 20;
/** Sessions in one report: about 300 KiB at the longest keys. */
export const reportSessionsMax = 1_000;

/** What reports are made from; `connection` stays open. */
export interface ReportsOptions {
  readonly connection: NatsConnection;
  readonly node: string;
  /** The incarnation now; a new one starts a new sequence with a full report. */
  readonly incarnation: () => string;
  readonly log: Logger;
  /** Sessions in memory, for full reports, and how many they are. */
  readonly owned: () => ReadonlySet<Activated>;
  readonly onCommand: (command: Command) => Promise<CommandResult>;
}

/** A session with a durable claim, and what it holds of the node's GPUs. */
export interface Activated {
  readonly token: SessionToken;
  readonly name: SessionName;
  readonly epoch: number;
  readonly devices: readonly DeviceShare[];
}

/**
 * Of each session the last change goes out; disposal sends what waits. A control plane that sees a gap in
 * `sequence` asks for everything.
 */
export interface Reports extends AsyncDisposable {
  activated(session: Activated): void;
  deactivated(token: SessionToken): void;
  /** Tells everything again: after a start and under each new incarnation. */
  full(): void;
}

/** Tells nothing by itself but heartbeats: the first report is that of `full`. */
export function openReports(options: ReportsOptions): Reports {
  const { connection, node, log } = options;
  let sequence = 0;
  let incarnation = options.incarnation();
  let timer: NodeJS.Timeout | undefined;
  /** What changed since the last report; `undefined` means that the session left memory. */
  let changes = new Map<SessionToken, Activation | undefined>();

  const publish = (full: boolean, activated: Activation[], deactivated: string[]): void => {
    sequence += 1;
    const report = create(ReportSchema, {
      node,
      incarnation,
      sequence: BigInt(sequence),
      full,
      activated,
      deactivated,
    });
    connection.publish(reportSubject(node), toBinary(ReportSchema, report));
  };
  const flush = (): void => {
    timer = undefined;
    if (connection.isClosed()) return;
    const pending = [...changes];
    changes = new Map();
    for (let at = 0; at < pending.length; at += reportSessionsMax) {
      const part = pending.slice(at, at + reportSessionsMax);
      publish(
        false,
        part.flatMap(([, activation]) => activation ?? []),
        part.flatMap(([token, activation]) => (activation === undefined ? token : [])),
      );
    }
  };
  const change = (token: SessionToken, activation: Activation | undefined): void => {
    changes.set(token, activation);
    timer ??= setTimeout(flush, reportDelayMs);
  };
  const full = (): void => {
    if (incarnation !== options.incarnation()) {
      incarnation = options.incarnation();
      sequence = 0;
    }
    changes.clear();
    // read now: what changes after it goes into a report of its own
    const all = [...options.owned()].map(describe);
    for (let at = 0; at === 0 || at < all.length; at += reportSessionsMax)
      // the first part says `full`, so that the reader forgets what it knew; also with no session at all
      publish(at === 0, all.slice(at, at + reportSessionsMax), []);
  };

  const beat = setInterval(() => {
    if (connection.isClosed()) return;
    const message = create(HeartbeatSchema, {
      node,
      incarnation,
      sessions: options.owned().size,
      reportSequence: BigInt(sequence),
    });
    connection.publish(heartbeatSubject(node), toBinary(HeartbeatSchema, message));
  }, heartbeatIntervalMs);

  /** The client reads nothing more once a callback has thrown. */
  const askedNode = (message: Msg): string | undefined => {
    try {
      return fromBinary(ResyncSchema, message.data).node;
    } catch (err) {
      log.warn({ err }, "a resync is malformed; it is dropped");
      return undefined;
    }
  };
  const resync = connection.subscribe(resyncSubject, {
    callback: (error, message) => {
      const asked = error === null ? askedNode(message) : undefined;
      if (asked === "" || asked === node) full();
    },
  });
  const commands = connection.subscribe(commandSubject(node), {
    callback: (error, message) => {
      if (error === null) void answer(message);
    },
  });
  const answer = async (message: Msg): Promise<void> => {
    let result: CommandResult;
    try {
      result = await options.onCommand(fromBinary(CommandSchema, message.data));
    } catch (err) {
      log.error({ err }, "command failed");
      result = create(CommandResultSchema, {
        code: "internal",
        reason: "internal",
        message: "the node could not carry the command out",
      });
    }
    message.respond(toBinary(CommandResultSchema, result));
  };

  return {
    activated(session) {
      change(session.token, describe(session));
    },
    deactivated(token) {
      change(token, undefined);
    },
    full,
    async [Symbol.asyncDispose]() {
      clearInterval(beat);
      clearTimeout(timer);
      flush();
      resync.unsubscribe();
      commands.unsubscribe();
    },
  };
}

function describe({ name, epoch, devices }: Activated): Activation {
  return create(ActivationSchema, { ...name, epoch: BigInt(epoch), devices: [...devices] });
}

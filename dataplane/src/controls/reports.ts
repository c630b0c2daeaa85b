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
  const { connection, node } = options;
  const book = new ReportBook(options);
  const beat = setInterval(() => book.beat(), heartbeatIntervalMs);
  const resync = connection.subscribe(resyncSubject, {
    callback: (error, message) => {
      const asked = error === null ? askedNode(message, options.log) : undefined;
      if (asked === "" || asked === node) book.full();
    },
  });
  const commands = connection.subscribe(commandSubject(node), {
    callback: (error, message) => {
      if (error === null) void answer(message, options);
    },
  });
  return {
    activated: (session) => book.change(session.token, describe(session)),
    deactivated: (token) => book.change(token, undefined),
    full: () => book.full(),
    async [Symbol.asyncDispose]() {
      clearInterval(beat);
      book.flush();
      resync.unsubscribe();
      commands.unsubscribe();
    },
  };
}

/** What the control planes know by now, and what they do not know yet. */
class ReportBook {
  readonly #options: ReportsOptions;
  #sequence = 0;
  #incarnation: string;
  #timer: NodeJS.Timeout | undefined;
  /** What changed since the last report; `undefined` means that the session left memory. */
  #changes = new Map<SessionToken, Activation | undefined>();

  constructor(options: ReportsOptions) {
    this.#options = options;
    this.#incarnation = options.incarnation();
  }

  change(token: SessionToken, activation: Activation | undefined): void {
    this.#changes.set(token, activation);
    this.#timer ??= setTimeout(() => this.flush(), reportDelayMs);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#options.connection.isClosed()) return;
    const pending = [...this.#changes];
    this.#changes = new Map();
    for (let at = 0; at < pending.length; at += reportSessionsMax) {
      const part = pending.slice(at, at + reportSessionsMax);
      this.#publish(
        false,
        part.flatMap(([, activation]) => activation ?? []),
        part.flatMap(([token, activation]) => (activation === undefined ? token : [])),
      );
    }
  }

  full(): void {
    if (this.#incarnation !== this.#options.incarnation()) {
      this.#incarnation = this.#options.incarnation();
      this.#sequence = 0;
    }
    this.#changes.clear();
    // read now: what changes after it goes into a report of its own
    const all = [...this.#options.owned()].map(describe);
    // the first part says `full`, so that the reader forgets what it knew; also with no session at all
    for (let at = 0; at === 0 || at < all.length; at += reportSessionsMax)
      this.#publish(at === 0, all.slice(at, at + reportSessionsMax), []);
  }

  beat(): void {
    const { connection, node, owned } = this.#options;
    if (connection.isClosed()) return;
    const message = create(HeartbeatSchema, {
      node,
      incarnation: this.#incarnation,
      sessions: owned().size,
      reportSequence: BigInt(this.#sequence),
    });
    connection.publish(heartbeatSubject(node), toBinary(HeartbeatSchema, message));
  }

  #publish(full: boolean, activated: Activation[], deactivated: string[]): void {
    const { connection, node } = this.#options;
    this.#sequence += 1;
    const report = create(ReportSchema, {
      node,
      incarnation: this.#incarnation,
      sequence: BigInt(this.#sequence),
      full,
      activated,
      deactivated,
    });
    connection.publish(reportSubject(node), toBinary(ReportSchema, report));
  }
}

/** The client reads nothing more once a callback has thrown. */
function askedNode(message: Msg, log: Logger): string | undefined {
  try {
    return fromBinary(ResyncSchema, message.data).node;
  } catch (err) {
    log.warn({ err }, "a resync is malformed; it is dropped");
    return undefined;
  }
}

async function answer(message: Msg, { log, onCommand }: ReportsOptions): Promise<void> {
  let result: CommandResult;
  try {
    result = await onCommand(fromBinary(CommandSchema, message.data));
  } catch (err) {
    log.error({ err }, "command failed");
    result = create(CommandResultSchema, {
      code: "internal",
      reason: "internal",
      message: "the node could not carry the command out",
    });
  }
  message.respond(toBinary(CommandResultSchema, result));
}

function describe({ name, epoch, devices }: Activated): Activation {
  return create(ActivationSchema, { ...name, epoch: BigInt(epoch), devices: [...devices] });
}

// The control plane's side of a node for its integration tests: it speaks every subject and key for real, and
// hosts nothing.
import { create, fromBinary, type MessageInitShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import { type JetStreamClient, jetstream } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { type DeviceShare, parseGrantClaims } from "@voda/proto/grant";
import {
  type ActivationSchema,
  type Command,
  CommandKind,
  CommandResultSchema,
  CommandSchema,
  HeartbeatSchema,
  LeaseSchema,
  ReportSchema,
  ResyncSchema,
  TrialResultSchema,
  TrialSchema,
} from "@voda/proto/node";
import { type SessionName, sessionToken } from "@voda/proto/session";
import {
  commandSubject,
  heartbeatSubject,
  keysBucket,
  nodesBucket,
  reportSubject,
  resyncSubject,
  trialSubject,
} from "@voda/proto/wire";
import { compactVerify, decodeProtectedHeader, importJWK, type JWK } from "jose";

export interface TestNodeOptions {
  readonly nats: string;
  readonly id: string;
  readonly incarnation?: string;
  readonly ingress?: string;
  readonly cpuMilli?: number;
  /** How long a full report is thought about. */
  readonly resyncMs?: number;
  readonly gpus?: readonly { readonly uuid: string; readonly model: string; readonly memoryMib: number }[];
}

/** Every bundle runs, on a node that does not even load it; but one of an agent with this name does not. */
export const unloadableAgent = "unloadable";
export function answerTrials(connection: NatsConnection, node: string): void {
  const refusal = { code: "invalid_argument", reason: "bad_request", message: "it throws" };
  const callback = (_: Error | null, message: Msg): void => {
    const { agents } = fromBinary(TrialSchema, message.data);
    const isRefused = agents.some(({ name }) => name === unloadableAgent);
    const result = create(TrialResultSchema, { node, ...(isRefused && refusal) });
    message.respond(toBinary(TrialResultSchema, result));
  };
  connection.subscribe(trialSubject, { callback });
}

const leaseSeconds = 3;
const beatMs = 200;

export class TestNode implements AsyncDisposable {
  readonly id: string;
  readonly incarnation: string;
  readonly ingress: string;
  readonly commands: Command[] = [];
  /** Claims of the grants that came with commands, after their signature was checked. */
  readonly grants: unknown[] = [];
  /** What it reports stays on the way. */
  isMuted = false;
  /** Keys of sessions that always have work. */
  readonly busy = new Set<string>();
  /** Full reports that were asked for. */
  resyncs = 0;
  readonly #cpuMilli: number;
  readonly #gpus: NonNullable<TestNodeOptions["gpus"]>;
  readonly #connection: NatsConnection;
  readonly #js: JetStreamClient;
  readonly #hosted = new Map<string, MessageInitShape<typeof ActivationSchema>>();
  #sequence = 0n;
  #revision = 0;
  #renewed = 0;
  readonly #resyncMs: number;
  #holdsLease = true;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> = Promise.resolve();

  static async open(options: TestNodeOptions): Promise<TestNode> {
    const node = new TestNode(options, await connect({ servers: options.nats }));
    const of = node.#connection;
    of.subscribe(commandSubject(node.id), { callback: (_, message) => void node.#onCommand(message) });
    answerTrials(of, node.id);
    of.subscribe(resyncSubject, { callback: (_, message) => node.#onResync(message) });
    await node.#beat();
    node.#timer = setInterval(() => {
      node.#beating = node.#beat();
    }, beatMs);
    return node;
  }

  private constructor(options: TestNodeOptions, connection: NatsConnection) {
    this.id = options.id;
    this.incarnation = options.incarnation ?? `${options.id}-1`;
    this.ingress = options.ingress ?? `127.0.0.1:${9000 + Number(options.id.slice(1))}`;
    this.#cpuMilli = options.cpuMilli ?? 4000;
    this.#resyncMs = options.resyncMs ?? 0;
    this.#gpus = options.gpus ?? [];
    this.#connection = connection;
    this.#js = jetstream(connection);
  }

  /** A session that came into memory; reported at once. */
  activate(name: SessionName, epoch = 1n, devices: readonly DeviceShare[] = []): void {
    const activation = { ...name, epoch, devices: [...devices] };
    this.#hosted.set(sessionToken(name), activation);
    this.#report({ activated: [activation] });
  }

  deactivate(name: SessionName): void {
    this.#hosted.delete(sessionToken(name));
    this.#report({ deactivated: [sessionToken(name)] });
  }

  /** By `performance.now()`, and no later than it ends. */
  leaseEndsMs(): number {
    return this.#renewed + leaseSeconds * 1000;
  }

  /** Renews its lease no more, and beats on: like a node that reaches the server and is not reached by it. */
  loseLease(): void {
    this.#holdsLease = false;
  }

  /** Uses up a report number without sending it. */
  loseReport(): void {
    this.#sequence += 1n;
  }

  /** The words of a supervisor that saw this process die. */
  async writeObituary(connection: NatsConnection): Promise<void> {
    const value = toJsonString(
      LeaseSchema,
      create(LeaseSchema, { node: this.id, incarnation: this.incarnation, dead: true }),
    );
    await jetstream(connection).publish(`$KV.${nodesBucket}.${this.id}.${this.incarnation}`, value, {
      ttl: "24h",
    });
  }

  /** Like SIGKILL: nothing is said any more. */
  async kill(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beating;
    await this.#connection.close();
  }

  /** A clean stop gives the lease back. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#beating;
    const leases = await new Kvm(this.#js).open(nodesBucket);
    await leases.delete(`${this.id}.${this.incarnation}`);
    await this.#connection.close();
  }

  async #beat(): Promise<void> {
    const now = performance.now();
    if (this.#holdsLease && (this.#revision === 0 || now - this.#renewed > 1000)) {
      this.#renewed = now;
      const ack = await this.#js.publish(`$KV.${nodesBucket}.${this.id}.${this.incarnation}`, this.#lease(), {
        ttl: `${leaseSeconds}s`,
        expect: { lastSubjectSequence: this.#revision },
      });
      this.#revision = ack.seq;
    }
    const beat = {
      node: this.id,
      incarnation: this.incarnation,
      sessions: this.#hosted.size,
      reportSequence: this.#sequence,
    };
    this.#connection.publish(
      heartbeatSubject(this.id),
      toBinary(HeartbeatSchema, create(HeartbeatSchema, beat)),
    );
  }

  #lease(): string {
    const value: MessageInitShape<typeof LeaseSchema> = {
      node: this.id,
      incarnation: this.incarnation,
      ingress: this.ingress,
      capacity: { cpuMilli: this.#cpuMilli, memoryMib: 4096, gpus: [...this.#gpus] },
    };
    return toJsonString(LeaseSchema, create(LeaseSchema, value));
  }

  #report(more: MessageInitShape<typeof ReportSchema>): void {
    this.#sequence += 1n;
    if (this.isMuted) return;
    const report = create(ReportSchema, {
      node: this.id,
      incarnation: this.incarnation,
      sequence: this.#sequence,
      ...more,
    });
    this.#connection.publish(reportSubject(this.id), toBinary(ReportSchema, report));
  }

  #onResync(message: Msg): void {
    const { node } = fromBinary(ResyncSchema, message.data);
    if (node !== "" && node !== this.id) return;
    this.resyncs += 1;
    setTimeout(() => {
      if (!this.#connection.isClosed()) this.#report({ full: true, activated: [...this.#hosted.values()] });
    }, this.#resyncMs);
  }

  async #onCommand(message: Msg): Promise<void> {
    const command = fromBinary(CommandSchema, message.data);
    this.commands.push(command);
    const claims = command.grant === "" ? undefined : await this.#verify(command.grant);
    if (claims !== undefined) this.grants.push(claims);
    message.respond(toBinary(CommandResultSchema, create(CommandResultSchema, this.#apply(command, claims))));
  }

  #apply(
    { kind, namespace, agent, key, idleMsMin }: Command,
    claims: unknown,
  ): MessageInitShape<typeof CommandResultSchema> {
    if (key === "fails") return { code: "unavailable", reason: "store_away", message: "no store" };
    if (idleMsMin > 0 && this.busy.has(key))
      return { code: "failed_precondition", reason: "not_rested", message: "it has work" };
    const name = { namespace, agent, key };
    const granted = parseGrantClaims(claims);
    if (kind !== CommandKind.WAKE) this.deactivate(name);
    else if (!this.#hosted.has(sessionToken(name)))
      this.activate(name, 7n, typeof granted === "string" ? [] : granted.devices);
    return { epoch: 7n };
  }

  async #verify(grant: string): Promise<unknown> {
    const keys = await new Kvm(this.#js).open(keysBucket);
    const entry = await keys.get(decodeProtectedHeader(grant).kid ?? "none");
    if (entry === null) throw new Error("the grant's key is not in the bucket");
    const { payload } = await compactVerify(grant, await importJWK(entry.json<JWK>()), {
      algorithms: ["EdDSA"],
    });
    return JSON.parse(new TextDecoder().decode(payload));
  }
}

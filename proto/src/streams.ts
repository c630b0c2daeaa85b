// Streams and buckets of a deployment, as the JetStream API names their settings, and the one way to create
// them.
import {
  agentsBucket,
  blobsBucket,
  keysBucket,
  logStream,
  marksStream,
  nodesBucket,
  quotasBucket,
  snapshotStream,
} from "./wire.ts";

const secondNs = 1_000_000_000;
/** How long the marker of an expired lease stays for watchers that were away. */
const leaseMarkerNs = 300 * secondNs;

/** Settings of one stream; durations are in nanoseconds. */
export type StreamConfig = { readonly name: string } & Readonly<Record<string, unknown>>;

/** Sends one JetStream API request and returns the JSON of the answer. */
export type JetStreamRequest = (subject: string, body: string) => Promise<string>;

/** A stream that exists with settings that voda cannot work with. */
export class IncompatibleStreamError extends Error {
  override readonly name = "IncompatibleStreamError";
}

/**
 * What records and snapshots are written as. 1: until 2026-11; read, and rewritten at the next fold of a
 * session.
 */
export const storeFormat = 2;
/** Metadata of the log: nobody who knows only lower formats may write to it. Absent: 1. */
const formatKey = "voda_format";

/** A store that a later version of voda has written to. */
export class UnsupportedStoreError extends Error {
  override readonly name = "UnsupportedStoreError";
}

/** Log and snapshots own all shards: stream 0 is the only one. `replicas` is 1 or 3. */
export function streamConfigs(replicas: number): StreamConfig[] {
  const base = { storage: "file", retention: "limits", num_replicas: replicas, allow_direct: true };
  // Without limits nothing is discarded; "new" would be safer and is refused together with schedules
  // (nats-server 2.15.1).
  const log = {
    ...base,
    discard: "old",
    allow_rollup_hdrs: true,
    allow_msg_ttl: true,
    allow_msg_schedules: true,
    allow_atomic: true,
  };
  return [
    { ...log, name: logStream(0), subjects: ["v.log.>"], metadata: { [formatKey]: String(storeFormat) } },
    { ...base, name: snapshotStream(0), subjects: ["v.snap.>"], discard: "new" },
    {
      ...base,
      name: marksStream(0),
      subjects: ["v.mark.>"],
      discard: "new",
      max_msgs_per_subject: 1,
      allow_msg_ttl: true,
    },
    bucket(base, nodesBucket, { allow_msg_ttl: true, subject_delete_marker_ttl: leaseMarkerNs }),
    bucket(base, agentsBucket, {}),
    bucket(base, keysBucket, { allow_msg_ttl: true }),
    bucket(base, quotasBucket, {}),
    {
      ...base,
      name: `OBJ_${blobsBucket}`,
      subjects: [`$O.${blobsBucket}.C.>`, `$O.${blobsBucket}.M.>`],
      discard: "new",
      allow_rollup_hdrs: true,
    },
  ];
}

/** What a call of `ensureStreams` has made; names. */
export interface StreamsMade {
  readonly made: readonly string[];
  /**
   * Those of them that the store has had, as far as the others tell: something is written there, and by no
   * older voda.
   */
  readonly lost: readonly string[];
}

/** What is to be said of a stream that the store has had. */
export const lostStream = (name: string): string =>
  `stream ${name} was gone and is made anew, empty; what was in it is lost`;

/**
 * Creates what is missing; a second call, or one by another process at the same time, changes nothing.
 * @throws IncompatibleStreamError when a stream exists with other settings, UnsupportedStoreError when a
 * later version of voda has written to it; it is left as it is
 */
export async function ensureStreams(request: JetStreamRequest, replicas: number): Promise<StreamsMade> {
  const { streams, unreached } = await listStreams(request);
  const there = new Map(streams.map((stream) => [stream.config.name, stream]));
  const made: string[] = [];
  for (const config of streamConfigs(replicas)) {
    const found = there.get(config.name) ?? (await createStream(request, config));
    if (found !== undefined) await check(request, config, found.config);
    else if (!unreached.includes(config.name)) made.push(config.name);
  }
  const log = there.get(logStream(0));
  const isOlder = log !== undefined && formatOf(log.config) < storeFormat;
  const isWritten = streams.some(({ config, state }) => isOurs(config.name) && state.messages > 0);
  return { made, lost: isWritten && !isOlder ? made : [] };
}

const isOurs = (name: string): boolean => streamConfigs(1).some((config) => config.name === name);

interface Stream {
  readonly config: StreamConfig;
  readonly state: { readonly messages: number };
}

interface Streams {
  readonly streams: readonly Stream[];
  /** Of a cluster: they are there, and nobody who has them answers. */
  readonly unreached: readonly string[];
}

/** All of the account: the server tells at most 256 at a time. */
async function listStreams(request: JetStreamRequest): Promise<Streams> {
  const all: Stream[] = [];
  for (;;) {
    const answer = await request("$JS.API.STREAM.LIST", JSON.stringify({ offset: all.length }));
    const { error, streams, missing, total = 0 } = JSON.parse(answer) as ListAnswer;
    if (error !== undefined) throw new Error(`cannot list streams: ${error.description}`);
    all.push(...(streams ?? []));
    if (all.length >= total || !streams?.length) return { streams: all, unreached: missing ?? [] };
  }
}

/** The stream that is there with other settings; undefined when it is made, or was as it should be. */
async function createStream(request: JetStreamRequest, config: StreamConfig): Promise<Stream | undefined> {
  const made = parse(await request(`$JS.API.STREAM.CREATE.${config.name}`, JSON.stringify(config)));
  if (made.error === undefined) return undefined;
  if (made.error.err_code !== nameInUse)
    throw new Error(`cannot create stream ${config.name}: ${made.error.description}`);
  return JSON.parse(await request(`$JS.API.STREAM.INFO.${config.name}`, "")) as Stream;
}

/** @throws IncompatibleStreamError, UnsupportedStoreError */
async function check(request: JetStreamRequest, wanted: StreamConfig, found: StreamConfig): Promise<void> {
  const differs = differences(wanted, found);
  if (differs.length > 0) {
    throw new IncompatibleStreamError(
      `stream ${wanted.name} exists with other settings: ${differs.join(", ")}; ` +
        "use another nats-server store, or delete the stream if its data may go",
    );
  }
  if (formatOf(wanted) !== formatOf(found)) await raiseFormat(request, found);
}

/**
 * The stream has the settings, but another format. A lower one is raised before anything is written: from
 * then on older nodes refuse the store.
 * @throws UnsupportedStoreError
 */
async function raiseFormat(request: JetStreamRequest, found: StreamConfig): Promise<void> {
  const { name } = found;
  const format = formatOf(found);
  if (format > storeFormat) {
    throw new UnsupportedStoreError(
      `stream ${name} is of format ${format}; this version of voda knows formats up to ${storeFormat}: start the later one`,
    );
  }
  const config = { ...found, metadata: { ...metadataOf(found), [formatKey]: String(storeFormat) } };
  const changed = parse(await request(`$JS.API.STREAM.UPDATE.${name}`, JSON.stringify(config)));
  if (changed.error !== undefined)
    throw new Error(`cannot mark stream ${name} with format ${storeFormat}: ${changed.error.description}`);
}

const metadataOf = ({ metadata }: StreamConfig): Readonly<Record<string, unknown>> =>
  isRecord(metadata) ? metadata : {};
const formatOf = (config: StreamConfig): number => Number(metadataOf(config)[formatKey] ?? 1);
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;

/** JetStream's error code: a stream of this name has another configuration. */
const nameInUse = 10058;

interface Answer {
  readonly error?: { readonly err_code?: number; readonly description: string };
}

interface ListAnswer extends Answer {
  readonly total?: number;
  readonly streams?: readonly Stream[] | null;
  readonly missing?: readonly string[] | null;
}

const parse = (json: string): Answer => JSON.parse(json) as Answer;

function bucket(base: object, name: string, more: object): StreamConfig {
  return {
    ...base,
    name: `KV_${name}`,
    subjects: [`$KV.${name}.>`],
    discard: "new",
    max_msgs_per_subject: 1,
    allow_rollup_hdrs: true,
    deny_delete: true,
    ...more,
  };
}

function differences(wanted: StreamConfig, found: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(wanted).flatMap(([key, value]) => {
    if (key === "metadata") return []; // the server adds its own
    const [want, have] = [JSON.stringify(value), JSON.stringify(found[key])];
    return want === have ? [] : [`${key} is ${have ?? "not set"} and must be ${want}`];
  });
}

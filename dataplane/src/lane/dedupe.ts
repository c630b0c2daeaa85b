// Answers stored under the ids of calls (PROTOCOL.md 6.1, 10.3, 10.5): bounded, exact in the lane's order,
// carried on by folds.
import { isCallNumber } from "@voda/proto/wire";
import type { CallId } from "../call/index.ts";
import { briefKeepMs, clientKeepMs, entryBytes, idsMax, retryAfterMs, storedBytesMax } from "./constants.ts";
import { type Bodies, createBodies, noteBody, takeBody } from "./dedupe-bodies.ts";
import { idText } from "./id-text.ts";
import type { ClientAnswers, NumberedAnswer, Remembered, StoredAnswer } from "./record-answers.ts";
import type { TurnKey } from "./record-turns.ts";

/** A client that numbers its calls: what it has not said to have got is kept, and nothing else. */
interface Client {
  readonly client: Uint8Array;
  lowest: number;
  usedAtMs: number;
  readonly answers: Map<number, NumberedAnswer>;
}

/**
 * What a session remembers of calls that were done. Held in memory, and equal to what replay of the lane
 * gives: each change follows from a record, in the order of the lane.
 */
export interface Dedupe {
  /** Explicit keys: never dropped before their time. In the order of the lane. */
  readonly kept: Map<string, StoredAnswer>;
  /** Ids that guard the proxy's own retries: the oldest give way when the table is full. */
  readonly brief: Map<string, StoredAnswer>;
  /**
   * Brief ids, oldest first, from `oldest` on: the first key of a map from which many were deleted is slow to
   * find.
   */
  order: { readonly key: string; readonly n: number }[];
  oldest: number;
  /** In which order they go. */
  readonly bodies: Bodies;
  /** By the text of their ids; the one that called last is last. */
  readonly clients: Map<string, Client>;
  /** How many numbered answers there are. */
  numbered: number;
  /** Of all answers, and of what else an entry takes in a fold. */
  bytes: number;
  /** Before that time nothing expires: there is nothing to look for. */
  expiresAtMs: number;
}

/** A session that remembers nothing. `expiresAtMs` of infinity: there is nothing to expire. */
export function createDedupe(): Dedupe {
  const maps = { kept: new Map(), brief: new Map(), clients: new Map(), bodies: createBodies() };
  return { ...maps, order: [], oldest: 0, numbered: 0, bytes: 0, expiresAtMs: Number.POSITIVE_INFINITY };
}

/** Of a call whose answer is kept. */
export type AnsweredId = Exclude<CallId, { readonly type: "sent" }>;

/** Calls with the same text are the same call. */
export function callText(id: CallId): string {
  if (id.type === "key") return idText(id.id);
  return id.type === "sent" ? `sent ${idText(id.source)}.${id.n}` : `${idText(id.client)}.${id.seq}`;
}

/** past: the client has said that it has the answer, and it does not come again. */
export type Found =
  | { readonly type: "answer"; readonly stored: StoredAnswer | NumberedAnswer }
  | { readonly type: "past" };

/**
 * `undefined`: the call was not done, as far as anybody remembers. `nowMs`: the store's clock, by which the
 * times of expiry were written.
 */
export function findAnswer(table: Dedupe, id: AnsweredId, nowMs: number): Found | undefined {
  if (id.type === "numbered") return findNumbered(table, id, nowMs);
  const key = idText(id.id);
  const stored = table.kept.get(key) ?? table.brief.get(key);
  if (stored === undefined) return undefined;
  if (stored.expiresAtMs > nowMs) return { type: "answer", stored };
  remove(table, key);
  return undefined;
}

function findNumbered(table: Dedupe, id: CallId & { type: "numbered" }, nowMs: number): Found | undefined {
  const client = table.clients.get(idText(id.client));
  // a client repeats no call later than clientKeepMs: what comes then is a new one that took its number
  if (client === undefined || client.usedAtMs + clientKeepMs <= nowMs) return undefined;
  if (id.seq < client.lowest) return { type: "past" };
  const stored = client.answers.get(id.seq);
  return stored && { type: "answer", stored };
}

/**
 * Whether there is room for the answer to a new call beside those of `running` calls. If not, in how many
 * milliseconds there may be: what is remembered is never dropped before its time.
 */
export function roomFor(table: Dedupe, id: AnsweredId, running: number, nowMs: number): "room" | number {
  if (id.type === "numbered") return roomForNumber(table, id, running, nowMs);
  return id.keepMs <= briefKeepMs ? "room" : roomBeside(table, 2 * running + 1, nowMs);
}

function roomForNumber(
  table: Dedupe,
  id: CallId & { type: "numbered" },
  running: number,
  nowMs: number,
): "room" | number {
  const key = idText(id.client);
  // a copy of an old call may come late: the lowest number never falls
  const lowest = Math.max(id.lowest, table.clients.get(key)?.lowest ?? 0);
  // too far beyond the lowest: the client has more calls open than are remembered, and must get answers first
  if (!isCallNumber(id.seq, lowest)) return retryAfterMs;
  return roomBeside(table, 2 * running + 2, nowMs);
}

/** `places`: of the calls that run, each of which may be the first of a client, and of the new one. */
function roomBeside(table: Dedupe, places: number, nowMs: number): "room" | number {
  if (fits(table, places)) return "room";
  dropExpired(table, nowMs);
  return fits(table, places) ? "room" : untilExpiry(table, nowMs);
}

/** Brief ids give way. A client takes a place beside its answers. */
const fits = ({ kept, numbered, clients }: Dedupe, places: number): boolean =>
  kept.size + numbered + clients.size + places <= idsMax;

const untilExpiry = (table: Dedupe, nowMs: number): number =>
  Math.max(retryAfterMs, Math.min(table.expiresAtMs - nowMs, clientKeepMs));

/** Remembers the answer of a turn in the record `at`. */
export function storeAnswer(
  table: Dedupe,
  key: TurnKey,
  at: { readonly n: number; readonly storeMs: number },
  answer: Uint8Array,
): void {
  const { rawHash, canonicalHash } = key;
  const stored = { rawHash, canonicalHash, n: at.n, answer };
  if (key.type === "numbered") {
    putNumbered(table, key, { seq: key.seq, ...stored }, at.storeMs);
  } else {
    const { id, keepMs } = key;
    put(table, { ...stored, id, expiresAtMs: at.storeMs + keepMs, brief: keepMs <= briefKeepMs });
  }
  dropOverflow(table);
}

/**
 * Puts back what a fold or a tombstone carried on, in its order: the oldest give way first, as they would
 * have without a restart.
 */
export function restoreAnswers(table: Dedupe, { answers, clients }: Remembered): void {
  for (const entry of answers) put(table, entry);
  for (const { answers: numbered, ...client } of clients)
    for (const entry of numbered) putNumbered(table, client, entry, client.usedAtMs);
  dropOverflow(table);
}

/** What a fold or a tombstone carries on. */
export function rememberedAt(table: Dedupe, nowMs: number): Remembered {
  dropExpired(table, nowMs);
  const answers = [...table.kept.values(), ...table.brief.values()].sort((a, b) => a.n - b.n);
  const clients = Array.from(table.clients.values(), (one) => ({
    ...one,
    answers: [...one.answers.values()],
  }));
  return { answers, clients };
}

function put(table: Dedupe, entry: StoredAnswer): void {
  const key = idText(entry.id);
  remove(table, key);
  const entries = entry.brief ? table.brief : table.kept;
  entries.set(key, entry);
  noteBody(table.bodies, entries, key, entry);
  if (entry.brief) table.order.push({ key, n: entry.n });
  table.bytes += sizeOf(entry);
  table.expiresAtMs = Math.min(table.expiresAtMs, entry.expiresAtMs);
}

function putNumbered(
  table: Dedupe,
  { client, lowest }: Pick<ClientAnswers, "client" | "lowest">,
  entry: NumberedAnswer,
  usedAtMs: number,
): void {
  const key = idText(client);
  const known = table.clients.get(key) ?? { client, lowest: 0, usedAtMs, answers: new Map() };
  if (!table.clients.delete(key)) table.bytes += entryBytes;
  table.clients.set(key, known);
  known.lowest = Math.max(known.lowest, lowest);
  known.usedAtMs = Math.max(known.usedAtMs, usedAtMs);
  // the client has these answers: it says so by the lowest number without one
  for (const [seq, answered] of known.answers) if (seq < known.lowest) removeNumbered(table, known, answered);
  const before = known.answers.get(entry.seq);
  if (before !== undefined) removeNumbered(table, known, before);
  known.answers.set(entry.seq, entry);
  noteBody(table.bodies, known.answers, entry.seq, entry);
  table.numbered += 1;
  table.bytes += sizeOf(entry);
  table.expiresAtMs = Math.min(table.expiresAtMs, known.usedAtMs + clientKeepMs);
}

const sizeOf = (entry: StoredAnswer | NumberedAnswer): number => entryBytes + (entry.answer?.length ?? 0);

function dropOverflow(table: Dedupe): void {
  const size = (): number => table.kept.size + table.brief.size + table.numbered + table.clients.size;
  while (size() > idsMax && table.oldest < table.order.length) dropOldest(table);
  if (table.order.length > 2 * idsMax) compact(table);
  // the entry stays without its body: a retry learns that the call was done, and is not run again
  while (table.bytes > storedBytesMax) {
    const bytes = takeBody(table.bodies);
    if (bytes === undefined) return;
    table.bytes -= bytes;
  }
}

function dropOldest(table: Dedupe): void {
  const first = table.order[table.oldest];
  table.oldest += 1;
  if (first !== undefined && isIn(table, first)) remove(table, first.key);
}

/** False when the id was dropped before, or stored again since. */
function isIn(table: Dedupe, { key, n }: Dedupe["order"][number]): boolean {
  return table.brief.get(key)?.n === n;
}

function compact(table: Dedupe): void {
  table.order = table.order.slice(table.oldest).filter((one) => isIn(table, one));
  table.oldest = 0;
}

function dropExpired(table: Dedupe, nowMs: number): void {
  if (nowMs < table.expiresAtMs) return;
  let next = Number.POSITIVE_INFINITY;
  for (const entries of [table.brief, table.kept]) {
    for (const [key, { expiresAtMs }] of entries) {
      if (expiresAtMs <= nowMs) remove(table, key);
      else next = Math.min(next, expiresAtMs);
    }
  }
  for (const [key, client] of table.clients) {
    const expiresAtMs = client.usedAtMs + clientKeepMs;
    if (expiresAtMs > nowMs) {
      next = Math.min(next, expiresAtMs);
      continue;
    }
    for (const entry of client.answers.values()) removeNumbered(table, client, entry);
    table.clients.delete(key);
    table.bytes -= entryBytes;
  }
  table.expiresAtMs = next;
}

function remove(table: Dedupe, key: string): void {
  const entry = table.kept.get(key) ?? table.brief.get(key);
  if (entry === undefined) return;
  table.kept.delete(key);
  table.brief.delete(key);
  table.bytes -= sizeOf(entry);
}

function removeNumbered(table: Dedupe, client: Client, entry: NumberedAnswer): void {
  client.answers.delete(entry.seq);
  table.numbered -= 1;
  table.bytes -= sizeOf(entry);
}

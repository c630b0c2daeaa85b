// Answers stored under the ids of calls (PROTOCOL.md 6.1): bounded, exact in the lane's order, carried on by folds.
import type { CallHead } from "../call/index.ts";
import { answerBytesMax, briefKeepMs, idsMax } from "./constants.ts";
import type { StoredAnswer, TurnKey } from "./record.ts";

export interface Dedupe {
  /** Explicit keys: never dropped before their time. In the order of the lane. */
  readonly kept: Map<string, StoredAnswer>;
  /** Ids that guard the proxy's own retries: the oldest give way when the table is full. */
  readonly brief: Map<string, StoredAnswer>;
  /** Brief ids, oldest first, from `oldest` on: the first key of a map from which many were deleted is slow to find. */
  order: { readonly key: string; readonly n: number }[];
  oldest: number;
  answerBytes: number;
}

export function createDedupe(): Dedupe {
  return { kept: new Map(), brief: new Map(), order: [], oldest: 0, answerBytes: 0 };
}

/** Under what the answer to a call is stored; `undefined` when it is not. */
export function turnKeyOf({ id }: CallHead): TurnKey | undefined {
  return id?.type === "key" ? { id: id.id, bodyHash: id.rawHash, keepMs: id.keepMs } : undefined;
}

/** A 16-byte id as the key of a map. */
export function idText(id: Uint8Array): string {
  let text = "";
  for (const byte of id) text += String.fromCharCode(byte);
  return text;
}

export function findAnswer(table: Dedupe, key: string, wallMs: number): StoredAnswer | undefined {
  const found = table.kept.get(key) ?? table.brief.get(key);
  if (found === undefined || found.expiresAtMs > wallMs) return found;
  remove(table, key);
  return undefined;
}

/** Whether a new explicit key fits beside `running` calls that will take one too. */
export function hasRoom(table: Dedupe, running: number, wallMs: number): boolean {
  if (table.kept.size + running < idsMax) return true;
  dropExpired(table, wallMs);
  return table.kept.size + running < idsMax;
}

/** Remembers the answer of a turn in the record `at`. */
export function storeAnswer(
  table: Dedupe,
  { id, bodyHash, keepMs }: TurnKey,
  at: { readonly n: number; readonly wallMs: number },
  answer: Uint8Array,
  key = idText(id),
): void {
  const { n } = at;
  put(table, key, { id, bodyHash, n, expiresAtMs: at.wallMs + keepMs, brief: keepMs <= briefKeepMs, answer });
}

export function restoreAnswers(table: Dedupe, answers: readonly StoredAnswer[]): void {
  for (const entry of answers) put(table, idText(entry.id), entry);
}

/** What a fold or a tombstone carries on. */
export function answersAt(table: Dedupe, wallMs: number): StoredAnswer[] {
  dropExpired(table, wallMs);
  return [...table.kept.values(), ...table.brief.values()].sort((a, b) => a.n - b.n);
}

function put(table: Dedupe, key: string, entry: StoredAnswer): void {
  remove(table, key);
  (entry.brief ? table.brief : table.kept).set(key, entry);
  if (entry.brief) table.order.push({ key, n: entry.n });
  table.answerBytes += entry.answer?.length ?? 0;
  while (table.kept.size + table.brief.size > idsMax && table.oldest < table.order.length) dropOldest(table);
  if (table.order.length > 2 * idsMax) compact(table);
  if (table.answerBytes > answerBytesMax) dropBodies(table);
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

/** The first bodies go: the retry then learns that the call was done. */
function dropBodies(table: Dedupe): void {
  for (const entries of [table.brief, table.kept]) {
    for (const [key, entry] of entries) {
      if (table.answerBytes <= answerBytesMax) return;
      if (entry.answer === undefined) continue;
      table.answerBytes -= entry.answer.length;
      entries.set(key, { ...entry, answer: undefined });
    }
  }
}

function dropExpired(table: Dedupe, wallMs: number): void {
  for (const entries of [table.brief, table.kept])
    for (const [key, entry] of entries) if (entry.expiresAtMs <= wallMs) remove(table, key);
}

function remove(table: Dedupe, key: string): void {
  const entry = table.kept.get(key) ?? table.brief.get(key);
  if (entry === undefined) return;
  table.kept.delete(key);
  table.brief.delete(key);
  table.answerBytes -= entry.answer?.length ?? 0;
}

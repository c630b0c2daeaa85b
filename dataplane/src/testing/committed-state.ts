// What is committed of a session, read from its lane as whoever wakes it reads it.
import { crc32 } from "node:zlib";
import { hash16 } from "@voda/proto/hash16";
import type { Schema } from "@voda/state";
import { assert } from "@voda/stdx";
import { decodeRecord, type Image } from "../lane/index.ts";
import { decodeStored, replay } from "../lane/replay.ts";
import { loadState } from "../worker/load-state.ts";
import { pageText, type StoredLane } from "./store.ts";

/** Its fields as JSON. */
export function committedState(lane: StoredLane, schema: Schema): object {
  const state = loadState(schema, imageOf(lane), crc32);
  assert(!("failure" in state), "the committed state loads");
  const view = state.view();
  const json: unknown = JSON.parse(JSON.stringify(view.state));
  view.close();
  assert(typeof json === "object" && json !== null, "a state is an object");
  return json;
}

function imageOf({ last, rows, pages }: StoredLane): Pick<Image, "pages" | "deltas"> {
  if (last === undefined) return { pages: [], deltas: [] };
  const from = Math.min(decodeRecord(last.bytes, crc32).from, last.seq);
  const tail = rows.filter(({ seq }) => seq >= from);
  const base = replay(tail.map((row) => decodeStored(row, crc32, hash16)));
  assert(base !== "gap" && base !== "damaged", "a lane in memory is whole");
  const { deltas, fold } = base;
  if (fold === undefined) return { pages: [], deltas };
  const { inline, table } = fold.record;
  return { pages: inline ?? table.map(({ name }) => pageOf(pages, pageText(name))), deltas };
}

function pageOf(pages: StoredLane["pages"], name: string): Uint8Array {
  const page = pages.get(name);
  assert(page !== undefined, `a fold names the page ${name}, which is not there`);
  return page;
}

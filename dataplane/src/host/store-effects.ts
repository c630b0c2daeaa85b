// What a lane wants of the store, done; what the store says goes back to the lane as events.
import { unreachable } from "@voda/stdx";
import type { Logger } from "pino";
import type { AppendOutcome, Commit } from "../commit/index.ts";
import { type LaneEffect, type LaneEvent, tombstoneMs } from "../lane/index.ts";
import type { AsleepTrims, Store } from "../store/index.ts";
import type { Hosted } from "./hosted.ts";

export interface StoreParts {
  readonly commit: Commit;
  readonly store: Store;
  readonly asleep: AsleepTrims;
  readonly log: Logger;
}

export type StoreEffect = Extract<
  LaneEffect,
  {
    type:
      | "append"
      | "readLast"
      | "readRange"
      | "readTraces"
      | "readPages"
      | "writePages"
      | "trim"
      | "trimAsleep"
      | "deletePages";
  }
>;

export function performOnStore(parts: StoreParts, hosted: Hosted, effect: StoreEffect): void {
  if (effect.type === "append") {
    append(parts, hosted, effect);
    return;
  }
  const { store, log } = parts;
  const { token: session, tell } = hosted;
  /** Every read is answered or fails. */
  const read = <T>(reading: Promise<T>, token: number, event: (value: T) => LaneEvent): void => {
    reading.then(
      (value) => tell(event(value)),
      (err: unknown) => {
        log.warn({ err, session: hosted.name, effect: effect.type }, "the store did not answer");
        tell({ type: "store_failed", token });
      },
    );
  };
  const unwatched = (work: Promise<unknown>): void => {
    work.catch((err: unknown) =>
      log.warn({ err, session: hosted.name, effect: effect.type }, "left in the store until the next fold"),
    );
  };
  switch (effect.type) {
    case "readLast": {
      const { token, leader } = effect;
      read(leader ? store.lastFromLeader(session) : store.last(session), token, (record) => ({
        type: "last",
        token,
        record,
      }));
      return;
    }
    case "readRange": {
      const { token, from, leader, limit } = effect;
      const options = { leader, ...(limit !== undefined && { limit }) };
      read(store.range(session, from, options), token, (records) => ({ type: "range", token, records }));
      return;
    }
    case "readTraces": {
      const { token } = effect;
      read(store.traces(session), token, (found) => ({ type: "traces", token, found }));
      return;
    }
    case "readPages": {
      const { token, names } = effect;
      read(store.readPages(session, names), token, (pages) => ({ type: "pages", token, pages }));
      return;
    }
    case "writePages": {
      const { token, pages } = effect;
      read(store.writePages(session, pages), token, () => ({ type: "pages_written", token }));
      return;
    }
    case "trim":
      unwatched(store.trim(session, effect.below));
      return;
    case "trimAsleep":
      parts.asleep.add({ ...effect, token: session });
      return;
    case "deletePages":
      unwatched(store.deletePages(session, effect.names));
      return;
    default:
      unreachable(effect);
  }
}

function append(parts: StoreParts, hosted: Hosted, effect: Extract<LaneEffect, { type: "append" }>): void {
  const { plain: subject, fence } = hosted.subjects;
  const { token, expect, bytes: payload, gone } = effect;
  const done = (outcome: AppendOutcome): void => {
    if (outcome.type === "acked") {
      hosted.tell({ type: "appended", token, seq: outcome.seq });
      if (gone) purge(parts, hosted, outcome.seq);
    } else if (outcome.type === "refused") {
      hosted.tell({ type: "refused", token });
    } else if (outcome.type === "error") {
      parts.log.warn({ outcome, session: hosted.name }, "the store refused a record");
      hosted.tell({ type: "rejected", token, why: outcome.description });
    }
  };
  const record = { subject, fence, expect, payload };
  parts.commit.append(gone ? { ...record, rollup: true, ttlSeconds: tombstoneMs / 1000 } : record, done);
}

function purge({ store, log }: StoreParts, hosted: Hosted, goneSeq: number): void {
  store.purgeSession(hosted.token, goneSeq).catch((err: unknown) => {
    log.warn({ err, session: hosted.name }, "an ended session's pages or name stay in the store");
  });
}

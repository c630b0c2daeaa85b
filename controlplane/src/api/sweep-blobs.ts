// Removes what deployments left in `voda_blobs` that were broken off: bundles that no definition names,
// chunks of uploads that never ended, and the marks of bundles that were removed. A control plane that is
// killed in the middle cleans nothing up, so whichever lives does it, now and then.
import type { StoredMsg } from "@nats-io/jetstream";
import { blobsBucket } from "@voda/proto/wire";
import type { Logger } from "pino";
import * as v from "valibot";
import { type BundleStore, removeUnneeded } from "./bundle-store.ts";

/** Longer than any deployment is under way: its bundle is named by a definition by then, or it has failed. */
export const orphanMsMin = 600_000;
const sweepEveryMs = 600_000;
/** Of each kind, at one time: the store serves calls beside it. */
const removedPerSweepMax = 1_000;
const stream = `OBJ_${blobsBucket}`;
const metaPrefix = `$O.${blobsBucket}.M.`;
const chunkPrefix = `$O.${blobsBucket}.C.`;
const Meta = v.object({ name: v.string(), nuid: v.string(), deleted: v.optional(v.boolean(), false) });

/** What a sweep reads and removes from. */
export interface SweepOptions extends BundleStore {
  /** What is younger than `orphanMsMin` by it stays. */
  readonly storeMs: () => number;
}

/** At once and then now and then, until it is disposed of. */
export function sweepingBlobs(options: SweepOptions, log: Logger): Disposable {
  const sweep = (): void => {
    sweepBlobs(options).then(
      (removed) => {
        if (removed > 0) log.info({ removed }, "what broken deployments left is removed");
      },
      (err: unknown) => log.warn({ err }, "what broken deployments left stays until the next sweep"),
    );
  };
  sweep();
  const timer = setInterval(sweep, sweepEveryMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** @returns how many bundles, uploads and marks were removed */
export async function sweepBlobs(options: SweepOptions): Promise<number> {
  const { jsm, storeMs } = options;
  const { state } = await jsm.streams.info(stream, { subjects_filter: `$O.${blobsBucket}.>` });
  const subjects = Object.keys(state.subjects ?? {});
  const isOld = ({ time }: StoredMsg): boolean => storeMs() - time.getTime() >= orphanMsMin;
  const last = (subject: string) => jsm.streams.getMessage(stream, { last_by_subj: subject });

  const inUse = new Set<string>();
  const bundles: string[] = [];
  const gone: StoredMsg[] = [];
  for (const subject of subjects.filter((one) => one.startsWith(metaPrefix))) {
    const message = await last(subject);
    if (message === null) continue;
    const { name, nuid, deleted } = v.parse(Meta, message.json());
    if (!deleted) inUse.add(chunkPrefix + nuid);
    if (!isOld(message)) continue;
    if (deleted) gone.push(message);
    else bundles.push(name);
  }
  for (const subject of subjects.filter((one) => one.startsWith(chunkPrefix) && !inUse.has(one))) {
    const message = await last(subject);
    if (message !== null && isOld(message)) gone.push(message);
  }
  // Up to what was seen: a bundle that comes again under its name meanwhile stays.
  for (const { subject, seq } of gone.slice(0, removedPerSweepMax))
    await jsm.streams.purge(stream, { filter: subject, seq: seq + 1 });
  return (
    Math.min(gone.length, removedPerSweepMax) +
    (await removeUnneeded(options, bundles.slice(0, removedPerSweepMax)))
  );
}

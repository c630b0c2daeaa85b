// Follows a bucket: what is in it now, then every change.
import type { KV, KvWatchEntry } from "@nats-io/kv";

export interface BucketWatch extends AsyncDisposable {
  close(): Promise<void>;
}

/** Resolves when `onEntry` has had everything that was in the bucket. `onEntry` must not throw on bad values. */
export async function watchBucket(kv: KV, onEntry: (entry: KvWatchEntry) => void): Promise<BucketWatch> {
  // The last of what was there when the watch began is the first that counts as an update; an empty bucket has none.
  const { streamInfo } = await kv.status();
  const lastRevision = streamInfo.state.last_seq;
  const isEmpty = streamInfo.state.messages === 0;
  const entries = await kv.watch();
  const loaded = Promise.withResolvers<void>();
  if (isEmpty) loaded.resolve();
  const following = (async () => {
    for await (const entry of entries) {
      onEntry(entry);
      if (entry.isUpdate || entry.revision >= lastRevision) loaded.resolve();
    }
    loaded.resolve();
  })();
  await Promise.race([loaded.promise, following]);
  const close = async (): Promise<void> => {
    entries.stop();
    await following;
  };
  return { close, [Symbol.asyncDispose]: close };
}

// Follows a bucket: what is in it now, then every change.
import type { KV, KvWatchEntry } from "@nats-io/kv";

/**
 * Resolves when it has caught up: `onEntry` is through with an entry behind which the server had no other, or
 * the bucket holds none. Entries are handed out one after the other, each when `onEntry` is through with the
 * one before. `onEntry` must not throw on bad values. Once the watch is disposed of, nothing more is handed
 * out, and what was being handled is through.
 */
export async function watchBucket(
  kv: KV,
  onEntry: (entry: KvWatchEntry) => void | Promise<void>,
): Promise<AsyncDisposable> {
  const entries = await kv.watch();
  const caughtUp = Promise.withResolvers<void>();
  const following = (async () => {
    for await (const entry of entries) {
      await onEntry(entry);
      // Not the bucket's last revision: the message that had it may have expired.
      if (entry.delta === 0) caughtUp.resolve();
    }
  })();
  // Asked after the watch began: what it then counts is delivered, so an entry with nothing behind it comes.
  if ((await kv.status()).values === 0) caughtUp.resolve();
  // A watch that ends or fails first never catches up.
  await Promise.race([caughtUp.promise, following]);
  return {
    async [Symbol.asyncDispose]() {
      entries.stop();
      await following;
    },
  };
}

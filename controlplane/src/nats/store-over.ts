// Writes to a bucket that several control planes write to: only over what was read.
import { JetStreamApiCodes, JetStreamApiError } from "@nats-io/jetstream";
import type { KV } from "@nats-io/kv";

/** An entry that takes the place of the one that was read. */
export interface EntryOver {
  readonly key: string;
  readonly value: string;
  /** Of the entry that was read; `undefined`: there was none. */
  readonly revision: number | undefined;
}

/** `false` when the entry is not at that revision any more: read again. */
export async function storeOver(kv: KV, { key, value, revision }: EntryOver): Promise<boolean> {
  try {
    if (revision === undefined) await kv.create(key, value);
    else await kv.update(key, value, revision);
    return true;
  } catch (error) {
    const isConflict =
      error instanceof JetStreamApiError &&
      (error.code === JetStreamApiCodes.StreamWrongLastSequence ||
        error.code === JetStreamApiCodes.StreamWrongLastSequenceUnknown);
    if (isConflict) return false;
    throw error;
  }
}

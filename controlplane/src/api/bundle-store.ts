// Bundles in `voda_blobs`, each under its SHA-256: there while an agent is defined with that revision.
import type { JetStreamManager } from "@nats-io/jetstream";
import type { KV } from "@nats-io/kv";
import type { ObjectStore } from "@nats-io/obj";
import { agentsBucket } from "@voda/proto/wire";
import { readAgent } from "../agents/watch-agents.ts";

/** Where definitions and bundles are kept. */
export interface BundleStore {
  readonly jsm: JetStreamManager;
  /** The bucket `voda_agents`. */
  readonly definitions: KV;
  /** The object store `voda_blobs`. */
  readonly blobs: ObjectStore;
}

/** Stored once, whoever deploys it again: its name is its hash. One that was removed is stored anew. */
export async function storeBlob(blobs: ObjectStore, sha256: string, bundle: Uint8Array): Promise<void> {
  const known = await blobs.info(sha256);
  if (known === null || known.deleted) await blobs.putBlob({ name: sha256 }, bundle);
}

/**
 * Removes those of these bundles that no definition names. One that is deployed again at this moment is
 * not lost: whoever deploys it looks for its bundle after its definition is stored, and this looks for
 * definitions once more after the bundle is gone, and puts it back.
 * @returns how many were removed
 */
export async function removeUnneeded(store: BundleStore, revisions: readonly string[]): Promise<number> {
  const needed = await neededRevisions(store);
  let removed = 0;
  for (const revision of new Set(revisions)) {
    const bytes = needed.has(revision) ? null : await store.blobs.getBlob(revision);
    if (bytes === null) continue;
    await store.blobs.delete(revision);
    removed += 1;
    if ((await neededRevisions(store)).has(revision)) await storeBlob(store.blobs, revision, bytes);
  }
  return removed;
}

/** Not by the bucket's own list of keys: that waits for ever when the server goes away meanwhile. */
async function neededRevisions({ jsm, definitions }: BundleStore): Promise<ReadonlySet<string>> {
  const prefix = `$KV.${agentsBucket}.`;
  const { state } = await jsm.streams.info(`KV_${agentsBucket}`, { subjects_filter: `${prefix}>` });
  const needed = new Set<string>();
  for (const subject of Object.keys(state.subjects ?? {})) {
    const entry = await definitions.get(subject.slice(prefix.length));
    if (entry?.operation === "PUT") needed.add(readAgent(entry).revision);
  }
  return needed;
}

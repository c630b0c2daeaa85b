// Bundles on this node's disk: fetched from the object store, and trusted only while they have the hash that
// they are named by.
import { hash } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Objm } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { blobsBucket } from "@voda/proto/wire";
import { replaceFileAside } from "@voda/stdx/replace-file";

/** Files that are named by the SHA-256 of their bytes, lower-case hex. */
export interface Bundles {
  /** The file of a revision. @throws Error when the object store does not have it either */
  fileOf(revision: string): Promise<string>;
  /**
   * Removes all others that have not been touched for so long, and what a crash left half written: one that
   * was fetched just now may be on trial, and nobody needs it yet.
   */
  keepOnly(revisions: ReadonlySet<string>, untouchedMs: number): Promise<void>;
}

const suffix = ".mjs";

/** `folder` is made if it is missing. @throws when the object store has no bucket of blobs */
export async function openBundles(connection: NatsConnection, folder: string): Promise<Bundles> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const blobs = await new Objm(connection).open(blobsBucket);

  /** A disk that was full, or a hand that slipped, may have left anything under the name. */
  const isWhole = async (file: string, revision: string): Promise<boolean> => {
    try {
      return hash("sha256", await readFile(file)) === revision;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
      throw error;
    }
  };

  return {
    async fileOf(revision) {
      const file = join(folder, `${revision}${suffix}`);
      if (await isWhole(file, revision)) return file;
      const bytes = await blobs.getBlob(revision);
      if (bytes === null) throw new Error(`bundle ${revision} is not in ${blobsBucket}`);
      // what a worker imports is code: it has the hash that was deployed, or it does not run
      if (hash("sha256", bytes) !== revision)
        throw new Error(`bundle ${revision} does not have that SHA-256`);
      await replaceFileAside(file, bytes); // two calls for one revision may fetch it twice
      return file;
    },
    async keepOnly(revisions, untouchedMs) {
      const isOld = async (name: string): Promise<boolean> =>
        Date.now() - (await stat(join(folder, name))).mtimeMs >= untouchedMs;
      for (const name of await readdir(folder)) {
        const isNeeded = name.endsWith(suffix) && revisions.has(name.slice(0, -suffix.length));
        if (isNeeded || !(name.endsWith(suffix) || name.endsWith(".part"))) continue;
        if (await isOld(name)) await rm(join(folder, name), { force: true });
      }
    },
  };
}

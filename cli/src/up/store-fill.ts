// How full the store of the mesh is. nats-server would limit itself to a share of what is free when it
// starts, whatever it already holds: a store that has grown would be over its limit after a restart. So the
// limit is set here, from both.
import { type Dirent, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { freeBytes } from "../free-disk.ts";

/** Also where the limit of the running server is read from: it was set at its start. */
export const natsConfigFile = (dataDir: string): string => join(dataDir, "nats.conf");
/** The limit alone, for the nodes: they stop a little before it. */
export const storeLimitFile = (dataDir: string): string => join(dataDir, "store-limit");
/** JetStream's files, by a nats-server that has this directory to itself. */
export const storeFolder = (dataDir: string): string => join(dataDir, "nats");

/**
 * What the store may take of the disk that is free: the rest is for logs, and for what else is on the
 * machine.
 */
const freeShare = 0.75;
/** From here on people are told: there is time to act. */
const fullShare = 0.8;

/** What the store holds, and what it may hold at most on this disk now. */
export interface StoreFill {
  readonly bytes: number;
  readonly bytesMax: number;
}

/** What a server that starts now may store. */
export function storeBytesMax(dataDir: string): number {
  return bytesOf(storeFolder(dataDir)) + Math.floor(freeShare * freeBytes(dataDir));
}

/** Of the server that was started last in this directory; undefined when none was. */
export function storeFill(dataDir: string): StoreFill | undefined {
  const config = natsConfigFile(dataDir);
  const limit = existsSync(config)
    ? /max_file_store: (\d+)/.exec(readFileSync(config, "utf8"))?.[1]
    : undefined;
  if (limit === undefined) return undefined;
  const [bytes, free] = [bytesOf(storeFolder(dataDir)), freeBytes(dataDir)];
  // Others fill the disk too: what is not free cannot be stored, whatever the limit says.
  return { bytes, bytesMax: Math.min(Number(limit), bytes + free) };
}

/** From `fullShare` on. */
export function isNearlyFull({ bytes, bytesMax }: StoreFill): boolean {
  return bytes >= fullShare * bytesMax;
}

/** `91 % full (9.1 of 10.0 GiB)`; below one GiB in MiB. */
export function fillWords({ bytes, bytesMax }: StoreFill): string {
  const [unit, unitBytes] = bytesMax < 1024 ** 3 ? ["MiB", 1024 ** 2] : ["GiB", 1024 ** 3];
  const count = (size: number): string => (size / unitBytes).toFixed(1);
  const share = bytesMax === 0 ? 100 : Math.floor((100 * bytes) / bytesMax);
  return `${share} % full (${count(bytes)} of ${count(bytesMax)} ${unit})`;
}

/** Files and folders come and go while they are counted: what is gone counts nothing. */
function bytesOf(folder: string): number {
  return entriesOf(folder).reduce((sum, entry) => {
    const path = join(folder, entry.name);
    const bytes = entry.isDirectory() ? bytesOf(path) : statSync(path, { throwIfNoEntry: false })?.size;
    return sum + (bytes ?? 0);
  }, 0);
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

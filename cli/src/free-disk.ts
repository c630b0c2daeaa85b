// What is free on the file system that a folder is or will be on.
import { existsSync, statfsSync } from "node:fs";
import { dirname } from "node:path";

/**
 * What an unprivileged process may still write there. The folder need not exist yet: its nearest parent
 * decides.
 */
export function freeBytes(path: string): number {
  let folder = path;
  while (!existsSync(folder)) folder = dirname(folder);
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

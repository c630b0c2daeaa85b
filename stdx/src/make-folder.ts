import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * The folder, and those above it that are missing, each with `mode`. Node's recursive `mkdirSync` never
 * returns where a parent is there and says that nothing is (`/proc/x`).
 * @throws the error of the file system
 */
export function makeFolder(path: string, mode: number): void {
  const parent = dirname(path);
  if (!existsSync(parent)) makeFolder(parent, mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
    if (!isThere || !statSync(path).isDirectory()) throw error;
  }
}

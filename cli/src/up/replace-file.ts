import { renameSync, writeFileSync } from "node:fs";

/** A reader sees the old content or the new, never half of one. */
export function replaceFile(path: string, content: string): void {
  const fresh = `${path}.${process.pid}.tmp`;
  writeFileSync(fresh, content);
  renameSync(fresh, path);
}

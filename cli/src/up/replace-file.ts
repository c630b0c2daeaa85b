import { renameSync, writeFileSync } from "node:fs";

/**
 * A reader sees the old content or the new, never half of one. After a crash of the machine it may be empty:
 * it is not synced, and whoever reads it makes do without. For its owner only: some of these files hold
 * credentials.
 */
export function replaceFile(path: string, content: string): void {
  const fresh = `${path}.${process.pid}.tmp`;
  writeFileSync(fresh, content, { mode: 0o600 });
  renameSync(fresh, path);
}

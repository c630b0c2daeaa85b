import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { signal } from "./signal.ts";
import { waitUntil } from "./wait.ts";

/**
 * Stops a process with SIGSTOP and resolves when none of its threads runs any more: the signal alone returns
 * before that.
 */
export async function freeze(pid: number): Promise<void> {
  signal(pid, "SIGSTOP");
  await waitUntil(() => statesOf(pid).every((state) => state === "T"), `process ${pid} is stopped`);
}

/** One letter per thread on Linux, elsewhere that of the process. */
function statesOf(pid: number): string[] {
  if (process.platform !== "linux")
    return [execFileSync("ps", ["-o", "state=", "-p", String(pid)], { encoding: "utf8" }).charAt(0)];
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8");
    return stat.charAt(stat.lastIndexOf(")") + 2);
  });
}

// Processes that a bench forks: a control, or a driver whose CPU must not be that of what is measured.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

/** Rejects when the process is gone: whoever waits for its message alone would wait without end. */
export async function goneEarly(child: ChildProcess, name: string): Promise<never> {
  const [code] = await once(child, "exit");
  throw new Error(`${name} ended with ${code}; the lines above say why`);
}

/** SIGTERM; resolves when the process is gone. */
export async function endForked(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}

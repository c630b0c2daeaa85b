import { run } from "@voda/cli/program";

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of `voda` against the mesh at `url`, in this process: a new one takes longer than most. */
export async function voda(url: string, ...args: readonly string[]): Promise<CommandResult> {
  let [stdout, stderr] = ["", ""];
  const code = await run([...args, "--url", url], {
    out: (line) => (stdout += `${line}\n`),
    err: (line) => (stderr += `${line}\n`),
  });
  return { code, stdout, stderr };
}

import { spawnSync } from "node:child_process";

/** Runs a program of `node_modules/.bin` with its output shown. @throws when it fails */
export function run(command: string, args: readonly string[]): void {
  const result = spawnSync(command, args, { stdio: "inherit" });
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0)
    throw new Error(`${command} ${args.join(" ")} ended with ${result.status ?? result.signal}`);
}

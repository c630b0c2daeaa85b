// Finds the GPUs of this machine: declared ones, or those that the vendors' tools tell of.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { type Device, readDevices } from "@voda/proto/devices";
import { wordsOf } from "@voda/stdx";
import type { Logger } from "pino";
import { amdSmi, parseAmdSmi } from "./amd-smi.ts";
import { DevicesError, partOf } from "./device.ts";
import { nvidiaSmi, parseNvidiaSmi } from "./nvidia-smi.ts";

/** A tool that takes longer is stopped: a driver that hangs must not keep the node from starting. */
export const toolMsMax = 5_000;

interface Tool {
  readonly command: string;
  readonly args: readonly string[];
  readonly parse: (output: string) => readonly Device[];
}

const tools: readonly Tool[] = [
  { ...nvidiaSmi, parse: parseNvidiaSmi },
  { ...amdSmi, parse: parseAmdSmi },
];

export interface DiscoverOptions {
  /** File that declares the GPUs; no tool is asked then. */
  readonly file: string | undefined;
  readonly part: { readonly index: number; readonly count: number };
  readonly log: Logger;
}

/**
 * A tool that fails costs the node its GPUs, not its start: the log says why.
 * @throws DevicesError when the file is wrong: somebody wrote it
 */
export async function discoverDevices({ file, part, log }: DiscoverOptions): Promise<readonly Device[]> {
  if (file !== undefined) return partOf(readDeclared(file), part);
  const found = await Promise.all(tools.map((tool) => ask(tool, log)));
  try {
    return partOf(found.flat(), part);
  } catch (err) {
    log.error({ err }, "the GPUs of this machine cannot be used; the node starts without GPUs");
    return [];
  }
}

function readDeclared(file: string): readonly Device[] {
  try {
    return readDevices(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new DevicesError(`${file}: ${wordsOf(cause)}`, { cause });
  }
}

async function ask({ command, args, parse }: Tool, log: Logger): Promise<readonly Device[]> {
  try {
    const asked = promisify(execFile)(command, [...args], { timeout: toolMsMax, killSignal: "SIGKILL" });
    const { stdout } = await Promise.race([asked, late(command)]);
    return parse(stdout);
  } catch (err) {
    // no such tool, no such GPUs
    if (err instanceof Error && "code" in err && err.code === "ENOENT") return [];
    log.error({ err, command }, `${command} tells of no GPUs; the node starts without them`);
    return [];
  }
}

/** A process that waits inside the driver does not even die of SIGKILL. */
function late(command: string): Promise<never> {
  return new Promise((_, reject) => {
    const give = (): void => reject(new Error(`${command} did not answer within toolMsMax ${toolMsMax} ms`));
    AbortSignal.timeout(toolMsMax).addEventListener("abort", give);
  });
}

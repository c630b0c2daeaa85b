// The mesh that a bench runs against: its own on free ports, or the one at --url.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programs } from "../programs.ts";
import { logsFolder } from "../up/mesh.ts";
import type { ReadyFile } from "../up/ready-file.ts";

/** Until a mesh of its own must serve. */
const readyMsMax = 60_000;
const pollMs = 50;

/** What is measured; disposing it ends what the bench has started, and nothing of others. */
export interface BenchMesh extends AsyncDisposable {
  readonly url: string;
  /** Milliseconds since 1970: makes the sessions of one run differ from those of another on the same mesh. */
  readonly startedAt: number;
  /** Where everything is now, with the pids of now; `undefined` for a mesh that somebody else runs. */
  describe(): ReadyFile | undefined;
}

/** A mesh that the bench started. */
export interface OwnMesh extends BenchMesh {
  describe(): ReadyFile;
  /** Where a part of the mesh writes its log. */
  logOf(part: string): string;
}

/** Everything else is as `voda up` has it by itself. */
export interface OwnMeshOptions {
  readonly nodes: number;
  /** The config with the agents. */
  readonly config: string;
  /** Declares the GPUs of the machine. */
  readonly gpus?: readonly object[];
}

/** A mesh that somebody else runs: it can be called, and neither looked into nor killed. */
export function foreignMesh(url: string): BenchMesh {
  return {
    url,
    startedAt: Date.now(),
    describe: () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/**
 * Starts `voda up` with a folder of its own and ends it with the bench. @throws when it does not serve in
 * time
 */
export async function ownMesh(options: OwnMeshOptions): Promise<OwnMesh> {
  const folder = mkdtempSync(join(tmpdir(), "voda-bench-"));
  const readyFile = join(folder, "ready.json");
  const dataDir = join(folder, "data");
  const flags = ["--ready-file", readyFile, "--data-dir", dataDir, "--ingress-port", "0"];
  const args = [programs().cli, "up", ...flags, "--nodes", String(options.nodes), "--config", options.config];
  if (options.gpus !== undefined) {
    const file = join(folder, "gpus.json");
    writeFileSync(file, JSON.stringify(options.gpus));
    args.push("--gpus", file);
  }
  // Whoever opens the inspector of a part, to read its heap, gets a port that is free.
  const env = { ...process.env, NODE_OPTIONS: `${process.env["NODE_OPTIONS"] ?? ""} --inspect-port=0` };
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"], env });
  const exited = once(child, "exit");
  const close = async (): Promise<void> => {
    child.kill("SIGTERM");
    await exited;
    rmSync(folder, { recursive: true, force: true });
    stopped[Symbol.dispose]();
  };
  const stopped = whenStopped(close);
  const read = (): ReadyFile => JSON.parse(readFileSync(readyFile, "utf8"));
  try {
    await ready(child, readyFile);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    url: read().ingress,
    startedAt: Date.now(),
    describe: read,
    logOf: (part) => join(logsFolder(dataDir), `${part}.log`),
    [Symbol.asyncDispose]: close,
  };
}

/** A bench that is stopped does `act` first; a second signal ends it at once. */
function whenStopped(act: () => Promise<void>): Disposable {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const off = (): void => {
    for (const signal of signals) process.off(signal, stop);
  };
  const stop = (signal: NodeJS.Signals): void => {
    off();
    void act().finally(() => process.kill(process.pid, signal));
  };
  for (const signal of signals) process.on(signal, stop);
  return { [Symbol.dispose]: off };
}

async function ready(child: ReturnType<typeof spawn>, file: string): Promise<void> {
  for (const deadline = Date.now() + readyMsMax; !existsSync(file); ) {
    const ended = child.signalCode ?? child.exitCode;
    if (ended !== null) throw new Error(`the mesh of the bench ended with ${ended}; the lines above say why`);
    if (Date.now() > deadline) throw new Error(`the mesh of the bench was not ready in ${readyMsMax} ms`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

// The whole mesh as users run it: `voda up` as a process, and the proof that nothing is left of it.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { commandOf, isPortFree, type ReadyFile } from "@voda/cli/harness";
import { adminPage } from "./envoy.ts";
import { type RunningProcess, startProcess } from "./process.ts";
import { programs } from "./programs.ts";
import { waitUntil } from "./wait.ts";

export interface MeshOptions {
  /** Default: the Node that runs the tests. */
  readonly program?: string;
  /** What comes before the flags that say where everything is. Default: `voda up` with the examples. */
  readonly command?: readonly string[];
  /** Default: a folder of its own, removed at the end. */
  readonly dataDir?: string;
  /** Default 2. */
  readonly nodes?: number;
}

export interface RunningMesh extends AsyncDisposable {
  /** What clients use. */
  readonly url: string;
  readonly startedAt: number;
  readonly dataDir: string;
  readonly supervisor: RunningProcess;
  /** The ready file as it is now. */
  describe(): ReadyFile;
  /** A counter of Envoy. */
  stat(name: string): Promise<number>;
  /** Ends the supervisor and proves that it ended well and left nothing. */
  close(signal?: "SIGTERM" | "SIGINT" | "SIGKILL"): Promise<void>;
}

export const examples = fileURLToPath(new URL("../../../examples/voda.config.ts", import.meta.url));
export const upExamples: readonly string[] = [programs().cli, "up", "--config", examples];

const stoppedWithinMs = 12_000;
const goneWithinMs = 10_000;

export async function startMesh(options: MeshOptions = {}): Promise<RunningMesh> {
  const folder = mkdtempSync(join(tmpdir(), "voda-mesh-"));
  const dataDir = options.dataDir ?? join(folder, "data");
  const readyFile = join(folder, "ready.json");
  const flags = [
    "--data-dir",
    dataDir,
    "--ready-file",
    readyFile,
    "--ingress-port",
    "0",
    "--nodes",
    String(options.nodes ?? 2),
  ];
  const describe = (): ReadyFile => JSON.parse(readFileSync(readyFile, "utf8"));
  let supervisor: RunningProcess;
  try {
    supervisor = await startProcess({
      command: options.program ?? process.execPath,
      args: [...(options.command ?? upExamples), ...flags],
      ready: () => existsSync(readyFile),
    });
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  const { ingress, envoy } = describe();
  let closing: Promise<void> | undefined;
  const end = async (signal: "SIGTERM" | "SIGINT" | "SIGKILL"): Promise<void> => {
    const last = describe();
    supervisor.signal(signal);
    const force = setTimeout(() => supervisor.signal("SIGKILL"), stoppedWithinMs);
    const code = await supervisor.exited;
    clearTimeout(force);
    try {
      if (code !== (signal === "SIGKILL" ? -1 : 0))
        throw new Error(`the mesh ended with ${code}:\n${supervisor.output()}`);
      await nothingIsLeft(last, dataDir);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  const close = (signal: "SIGTERM" | "SIGINT" | "SIGKILL" = "SIGTERM"): Promise<void> =>
    (closing ??= end(signal));
  return {
    url: ingress,
    startedAt: Date.now(),
    dataDir,
    supervisor,
    describe,
    stat: async (name) => {
      const { body } = await adminPage(envoy.admin, `/stats?filter=^${name.replaceAll(".", "\\.")}$`);
      return Number(/: (\d+)/.exec(body)?.[1] ?? 0);
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}

/** Process ids of all parts; 0 for one that is between death and restart. */
export function pidsOf(mesh: ReadyFile): number[] {
  return [
    mesh.nats.pid,
    mesh.envoy.pid,
    ...mesh.controlplanes.map(({ pid }) => pid),
    ...mesh.nodes.map(({ pid }) => pid),
  ];
}

async function nothingIsLeft(mesh: ReadyFile, dataDir: string): Promise<void> {
  const urls = [mesh.ingress, mesh.nats.url, ...mesh.nodes.map(({ ingress }) => `tcp://${ingress}`)];
  let left: string[] = [];
  const isClean = async (): Promise<boolean> => {
    const taken = await Promise.all(
      urls.map(async (url) => ((await isPortFree(Number(new URL(url).port))) ? [] : [url])),
    );
    left = [...processesOf(pidsOf(mesh), dataDir), ...taken.flat()];
    return left.length === 0;
  };
  try {
    await waitUntil(isClean, "nothing is left of the mesh", goneWithinMs);
  } catch (cause) {
    throw new Error(`the mesh left behind: ${left.join("; ")}`, { cause });
  }
}

/** Command lines of processes that are the mesh's, name its folder, or guard one of its processes. */
function processesOf(pids: readonly number[], dataDir: string): string[] {
  return everyProcess().flatMap(([pid, command]) => {
    const guarded = /kill -KILL "\$0" (\d+)$/.exec(command)?.[1];
    const isItsOwn =
      pids.includes(pid) ||
      command.includes(dataDir) ||
      (guarded !== undefined && pids.includes(Number(guarded)));
    return isItsOwn ? [`${pid} ${command}`] : [];
  });
}

/** Every running process with its command line. */
function everyProcess(): (readonly [pid: number, command: string])[] {
  const pids = existsSync("/proc/self")
    ? readdirSync("/proc").filter((name) => /^\d+$/.test(name))
    : execFileSync("ps", ["-Ao", "pid="], { encoding: "utf8" }).split("\n");
  return pids.map((pid) => [Number(pid), commandOf(Number(pid)) ?? ""]);
}

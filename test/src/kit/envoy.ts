import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { locate } from "@voda/cli/harness";
import type { ConfigurationSource } from "@voda/envoy";
import { startProcess } from "./process.ts";

export interface EnvoyOptions {
  readonly source: ConfigurationSource;
  readonly nodeId?: string;
  /** Resolve at the first answer of the admin port, not only when all configuration is there. */
  readonly waitForAdminOnly?: boolean;
}

export interface RunningEnvoy extends AsyncDisposable {
  readonly pid: number;
  /** The body of an admin page, such as `/clusters`. */
  admin(path: string): Promise<string>;
  /** Whether it has all of its configuration. */
  isReady(): Promise<boolean>;
  /** A counter or gauge; 0 when it does not exist. */
  stat(name: string): Promise<number>;
  /** What it has written to standard error. */
  output(): string;
  stop(): Promise<void>;
}

/** A real Envoy of the pinned version with one worker thread; it dies with the test, however that ends. */
export async function startEnvoy(options: EnvoyOptions): Promise<RunningEnvoy> {
  // A file of tests is a process of its own, and most of them do without.
  const { bootstrap, envoyArguments } = await import("@voda/envoy");
  const folder = mkdtempSync(join(tmpdir(), "voda-envoy-"));
  const file = join(folder, "envoy.json");
  const socketPath = join(folder, "admin.sock");
  const config = bootstrap({
    nodeId: options.nodeId ?? "test",
    admin: socketPath,
    source: options.source,
  });
  writeFileSync(file, JSON.stringify(config));
  const admin = (path: string): Promise<Page> => adminPage(socketPath, path);
  const isReady = async (): Promise<boolean> => (await admin("/ready")).status === 200;

  const envoy = await startProcess({
    command: locate("envoy"),
    args: [...envoyArguments(file), "--concurrency", "1"],
    ready: async () => (options.waitForAdminOnly === true ? (await admin("/ready")).status !== 0 : isReady()),
  });
  const watch = watchdog(envoy.pid);
  const stop = async (): Promise<void> => {
    await envoy.kill9();
    watch.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  return {
    pid: envoy.pid,
    admin: async (path) => (await admin(path)).body,
    isReady,
    stat: async (name) => {
      const line = (await admin(`/stats?filter=^${name.replaceAll(".", "\\.")}$`)).body;
      return Number(/: (\d+)/.exec(line)?.[1] ?? 0);
    },
    output: () => envoy.output(),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Kills the process when this one is gone: its standard input ends then, even after SIGKILL. */
function watchdog(pid: number): ReturnType<typeof spawn> {
  const shell = spawn("sh", ["-c", `read -r line; kill -9 ${pid}`], { stdio: ["pipe", "ignore", "ignore"] });
  shell.unref();
  return shell;
}

export interface Page {
  /** 0: Envoy does not listen yet, or not any more. */
  readonly status: number;
  readonly body: string;
}

/** A page of an Envoy, by the unix socket of its administration. */
export function adminPage(socketPath: string, path: string): Promise<Page> {
  return new Promise((resolve) => {
    const request = get({ socketPath, path, agent: false }, (response) => {
      const status = response.statusCode ?? 0;
      text(response).then(
        (body) => resolve({ status, body }),
        () => resolve({ status: 0, body: "" }),
      );
    });
    request.on("error", () => resolve({ status: 0, body: "" }));
  });
}

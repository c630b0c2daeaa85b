import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ReadyFile } from "../src/up/ready-file.ts";

const mesh = fileURLToPath(new URL("./stand-in-mesh.ts", import.meta.url));

/** A mesh of stand-ins; disposing it sends SIGTERM and waits. */
export interface Started extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly readyFile: string;
  /** Ends when the process does. */
  readonly stderr: Promise<string>;
  /** Exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
}

/**
 * A module that is run first in the supervisor: ten times slower, its clock is right about how soon a child
 * failed again also where the machine is so busy that children start slowly.
 */
const slowClock =
  "data:text/javascript,const now = performance.now.bind(performance); performance.now = () => now() / 10;";

/** `fail` is `n1:2` where that node is to end with that code. */
export function startMesh(
  dataDir: string,
  options: { readonly port?: number; readonly fail?: string; readonly readyFile?: string } = {},
): Started {
  const readyFile = options.readyFile ?? join(dataDir, "ready.json");
  rmSync(readyFile, { force: true });
  const port = String(options.port ?? 0);
  const child = spawn(process.execPath, ["--import", slowClock, mesh, dataDir, readyFile, port], {
    stdio: ["ignore", "inherit", "pipe"],
    env: { ...process.env, FAIL: options.fail ?? "" },
  });
  const ended = once(child, "exit").then(([code, signal]) => (code ?? signal) as number | string);
  return {
    process: child,
    readyFile,
    stderr: text(child.stderr),
    ended,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** Removed with all it holds. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "voda-up-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** `undefined` while there is none. */
export function readReady(file: string): ReadyFile | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The first value that is not undefined. @throws when there is none in time */
export async function eventually<T>(what: string, probe: () => T | undefined, msMax = 60_000): Promise<T> {
  const deadlineMs = performance.now() + msMax;
  for (;;) {
    const value = probe();
    if (value !== undefined) return value;
    if (performance.now() > deadlineMs) throw new Error(`not within ${msMax} ms: ${what}`);
    await delay(20);
  }
}

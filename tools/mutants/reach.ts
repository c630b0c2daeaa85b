// Which files a file of tests loads, and how long it takes: each runs once, alone and without a break.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { home, runTests } from "./process.ts";

/** A file of tests as it is without a break. */
export interface Calm {
  readonly test: string;
  readonly ms: number;
  /** Sources that it, or a thread of it, loads. */
  readonly loads: ReadonlySet<string>;
}

/** A test may wait for the cores. */
const calmMsMax = 600_000;

/** @throws when the test fails without a break */
export async function measureCalm(test: string): Promise<Calm> {
  mkdirSync(home, { recursive: true });
  const folder = mkdtempSync(`${home}/loaded-`);
  const loaded = `${folder}/urls`;
  try {
    const started = performance.now();
    const { outcome, output } = await runTests({ tests: [test], timeoutMs: calmMsMax, loaded });
    if (outcome !== "survived") throw new Error(`${test} fails without a break: ${outcome} ${output}`);
    const urls = readFileSync(loaded, "utf8").trimEnd().split("\n");
    const loads = new Set(urls.map((url) => relative(".", fileURLToPath(url))));
    return { test, ms: performance.now() - started, loads };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

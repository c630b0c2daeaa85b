// Replays a real editing history onto sessions of the `editor` agent while nodes are killed.

import { openCaller } from "./caller.ts";
import { type Edit, type EditingTrace, groupEdits, readTrace } from "./editing-trace.ts";
import { type KillOptions, startKilling } from "./killing.ts";
import type { BenchMesh } from "./mesh.ts";
import { tenths } from "./statistics.ts";

/** Every session replays the whole file. */
export interface MeshTraceOptions extends KillOptions {
  readonly file: string;
  readonly sessions: number;
  readonly editsPerCall: number;
}

/** `equal` is the verdict; the rest tells what it took. */
export interface MeshTraceResult {
  /** Every final text is the trace's. */
  readonly equal: boolean;
  readonly sessions: number;
  readonly edits: number;
  readonly calls: number;
  readonly kills: number;
  /** Calls per second over the whole replay. */
  readonly rps: number;
  readonly seconds: number;
  readonly retried: number;
  /** Longest time from a call's first attempt to its answer. */
  readonly slowestCallMs: number;
}

/** Sessions replay side by side; the calls of one session follow each other, as an editor's do. */
export async function meshTrace(
  mesh: BenchMesh,
  options: MeshTraceOptions,
  progress: (line: string) => void,
): Promise<MeshTraceResult> {
  const trace = readTrace(options.file);
  const groups = groupEdits(trace.edits, options.editsPerCall);
  using caller = openCaller(mesh.url);
  const killing = startKilling(mesh, options, progress);
  const started = performance.now();
  const tally = { calls: 0, retried: 0, slowestCallMs: 0 };

  const count = (called: { attempts: number; ms: number }): void => {
    tally.calls += 1;
    if (called.attempts > 1) tally.retried += 1;
    tally.slowestCallMs = Math.max(tally.slowestCallMs, called.ms);
  };
  const keys = Array.from({ length: options.sessions }, (_, i) => `trace-${options.seed}-${i}`);
  let seconds = 0;
  try {
    await Promise.all(keys.map((key) => replay(key)));
    seconds = (performance.now() - started) / 1000;
  } finally {
    await killing.stop();
  }
  const equal = await Promise.all(keys.map((key) => finalTextIsRight(key)));
  return {
    equal: equal.every(Boolean),
    sessions: options.sessions,
    edits: trace.edits.length * options.sessions,
    calls: tally.calls,
    kills: killing.kills.length,
    rps: tenths(tally.calls / seconds),
    seconds: tenths(seconds),
    retried: tally.retried,
    slowestCallMs: Math.round(tally.slowestCallMs),
  };

  async function replay(key: string): Promise<void> {
    for (const [i, edits] of withStart(trace, groups).entries())
      count(await caller.call("editor", key, "apply", edits, `${key}-${i}`));
    progress(`${key}: ${groups.length} calls done`);
  }

  async function finalTextIsRight(key: string): Promise<boolean> {
    const { body } = await caller.call("editor", key, "text", undefined, undefined);
    return JSON.parse(body) === trace.endContent;
  }
}

function withStart(trace: EditingTrace, groups: readonly Edit[][]): readonly Edit[][] {
  return trace.startContent === "" ? groups : [[[0, 0, trace.startContent]], ...groups];
}

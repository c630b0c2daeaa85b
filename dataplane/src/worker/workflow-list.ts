// The workflows of a session as people see them who ask what it waits for.
import { isEnded, type Rows } from "./workflow-rows.ts";

/** Workflows that are named one by one; the others are counted. */
export const listedMax = 50;
/** Of what one of them waits for. */
export const listedWaitsMax = 8;

/** As `SessionWorkflows` of `voda.api.v1` is written in JSON. */
export function listOf(rows: Rows): object {
  const counts = { running: 0, waiting: 0, failed: 0, done: 0, cancelled: 0 };
  const live: object[] = [];
  for (const [id, row] of rows.all()) {
    const { workflow, phase, waits, undoing } = row;
    counts[phase] += 1;
    if (isEnded(row) || live.length >= listedMax) continue;
    const waitsFor = waits.slice(0, listedWaitsMax).map(nameOf);
    live.push({ id, workflow, phase, waitsFor, undoing: undoing !== undefined });
  }
  return { ...counts, live };
}

/** A wait by the name of its signal, a sleep by its own. */
export const nameOf = ({ step, signal }: { readonly step: string; readonly signal?: string }): string =>
  signal ?? step.slice(1);

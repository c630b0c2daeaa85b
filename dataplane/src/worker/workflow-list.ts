// The workflows of a session as people see them who ask what it waits for.
import { isEnded, type Row, type Rows, type Wait } from "./workflow-rows.ts";

/** Workflows that are named one by one; the others are counted. */
const listedMax = 50;
/** Of what one of them waits for. */
const listedWaitsMax = 8;

interface Listed extends Pick<Row, "workflow" | "phase"> {
  readonly id: string;
  readonly waitsFor: readonly string[];
  readonly undoing: boolean;
}

/** As `SessionWorkflows` of `voda.api.v1` is written in JSON. */
export function listOf(rows: Rows): Record<Row["phase"], number> & { readonly live: readonly Listed[] } {
  const counts = { running: 0, waiting: 0, failed: 0, done: 0, cancelled: 0 };
  const live: Listed[] = [];
  for (const [id, row] of rows.all()) {
    const { workflow, phase, waits, undoing } = row;
    counts[phase] += 1;
    if (isEnded(row) || live.length >= listedMax) continue;
    const waitsFor = namesOf(waits).slice(0, listedWaitsMax);
    live.push({ id, workflow, phase, waitsFor, undoing: undoing !== undefined });
  }
  return { ...counts, live };
}

/** A wait by the name of its signal, a sleep by its own; times of calls that wait for a signal have none. */
export const namesOf = (waits: readonly Wait[]): string[] =>
  waits.flatMap(({ step, signal, of }) => (of === undefined ? [signal ?? step.slice(1)] : []));

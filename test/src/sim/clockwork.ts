// Virtual time, what happened in it last, and how often the schedules of it come to what they are for.
import {
  createClockwork as createTicking,
  type Clockwork as Ticking,
} from "../../../dataplane/src/testing/clockwork.ts";
import type { Coverage, Occasion } from "./coverage.ts";

export interface Clockwork extends Ticking {
  /** How often each occasion was met. */
  readonly coverage: Coverage;
  meet(occasion: Occasion): void;
  /** The last things that happened, oldest first. */
  readonly trace: readonly string[];
  say(line: string): void;
}

const traceLinesMax = 400;

export function createClockwork(seed: number): Clockwork {
  const coverage = new Map<Occasion, number>();
  const ticking = createTicking(seed);
  const trace: string[] = [];
  return Object.assign(ticking, {
    coverage,
    trace,
    say(line: string) {
      trace.push(`${ticking.nowMs.toFixed(1).padStart(9)}  ${line}`);
      if (trace.length > 2 * traceLinesMax) trace.splice(0, traceLinesMax);
    },
    meet: (occasion: Occasion) => void coverage.set(occasion, (coverage.get(occasion) ?? 0) + 1),
  });
}

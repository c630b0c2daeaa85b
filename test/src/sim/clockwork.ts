// Virtual time, and how often the schedules of it come to what they are for.
import {
  createClockwork as createTicking,
  type Clockwork as Ticking,
} from "../../../dataplane/src/testing/clockwork.ts";
import type { Coverage, Occasion } from "./coverage.ts";

export interface Clockwork extends Ticking {
  /** How often each occasion was met. */
  readonly coverage: Coverage;
  meet(occasion: Occasion): void;
}

export function createClockwork(seed: number): Clockwork {
  const coverage = new Map<Occasion, number>();
  return Object.assign(createTicking(seed), {
    coverage,
    meet: (occasion: Occasion) => void coverage.set(occasion, (coverage.get(occasion) ?? 0) + 1),
  });
}

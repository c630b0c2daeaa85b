// A handler that has begun, and what its turn has done so far.
import type { Transaction, View } from "@voda/state";
import type { Handler } from "voda/definition";
import type { SessionCall } from "../call/index.ts";
import type { Abort, Context } from "./context.ts";
import type { TurnDraws } from "./draws.ts";
import type { TurnNames } from "./names.ts";
import { currentStep, type Origin } from "./origin.ts";
import type { TurnSends } from "./sends.ts";
import { notInStep } from "./steps.ts";

/** Once it is not in its activation any more, nothing that it does counts. */
export interface Running {
  readonly call: SessionCall;
  readonly origin: Origin;
  readonly handler: Handler;
  readonly scope: Transaction | View;
  readonly abort: Abort;
  /** A handler's own timeout goes before its agent's `maxTurn`. */
  readonly turnMsMax: number;
  disarm: (() => void) | undefined;
  /** `undefined` also for a body that is no input. */
  input: unknown;
  /** `undefined` before the body was read. */
  context: Context<Running> | undefined;
  /** `undefined` before it is asked for one of them. */
  draws: TurnDraws | undefined;
  /** `undefined` before it names a session. */
  names: TurnNames | undefined;
  /** `undefined` when the handler has ended. */
  sends: TurnSends | undefined;
  hasSteps: boolean;
  /** The result of a step is kept until the turn takes place, or its call cannot come again. */
  hasResult: boolean;
}

/** The step of the turn whose function runs now. */
export const stepOf = ({ hasSteps, call }: Running): string | undefined =>
  hasSteps ? currentStep(call.head.number) : undefined;

/** Only now: a turn without steps pays nothing for it. */
export function guardWrites(running: Running): void {
  const { hasSteps, scope } = running;
  if (hasSteps || !("guard" in scope)) return;
  running.hasSteps = true;
  scope.guard((field) => {
    const step = stepOf(running);
    if (step !== undefined) throw notInStep(`a write to state.${field}`, step);
  });
}

// What a simulated worker does for handlers that do something outside: steps, one after the other.
import type { Failure, StepAnswer, StepDoneMessage, StepMessage } from "../../../dataplane/src/call/index.ts";
import type { Operation } from "./clients.ts";
import { stepNames, stepOf } from "./steps.ts";
import type { Told } from "./told.ts";

/** A handler whose steps are being done. */
export interface Doing {
  readonly call: number;
  readonly operation: Operation;
  readonly canonicalHash: Uint8Array | undefined;
  readonly seen: string;
  /** Whether anything that it does counts. */
  readonly isOn: () => boolean;
  /** Results so far. */
  readonly ran: string[];
  readonly end: (refused?: Told, failure?: Failure) => void;
}

export interface DoerOptions {
  readonly activation: number;
  /** What comes of a step, and of no other. */
  readonly perform: (step: string) => string;
  /** Lets it take some time. */
  readonly run: (done: () => void) => void;
  readonly say: (message: StepMessage | StepDoneMessage) => void;
}

const utf8 = new TextEncoder();
const text = new TextDecoder();
const drawn = { seed: new Uint8Array(16), times: [] };

export function createDoer({ activation, perform, run, say }: DoerOptions) {
  const waiting = new Map<number, (answer: StepAnswer) => void>();
  /** What the handler of a step saw. */
  const seenAt = new Map<number, string>();

  /** The next one is begun, done and noted; the handler ends after the last. */
  function begin(doing: Doing): void {
    const { call, operation, canonicalHash, seen, isOn, ran, end } = doing;
    const name = stepNames[ran.length];
    if (name === undefined) return end();
    const number = waiting.size;
    seenAt.set(number, seen);
    waiting.set(number, (answer) => {
      if (!isOn()) return;
      if (answer.type === "refused") return end({ failed: seen });
      if (answer.type === "ended") return end(undefined, answer.failure);
      if (answer.type === "begin")
        return run(() => {
          const result = utf8.encode(perform(stepOf(operation.number, name)));
          if (isOn()) say({ type: "step_done", activation, step: number, result, drawn });
        });
      ran.push(text.decode(answer.result));
      begin(doing);
    });
    say({ type: "step", activation, by: call, step: number, name, canonicalHash });
  }

  return {
    begin,
    seenAt,
    answered: (step: number, answer: StepAnswer): void => waiting.get(step)?.(answer),
  };
}

// What waits until it may leave (PROTOCOL.md 5.3, 5.5): answers of readers and errors of failed turns.
import { replyWork } from "./calls.ts";
import type { Activation, Step } from "./lane.ts";

/**
 * Lets answers go whose every turn is accepted, while this node is the owner by the clock of this instant. From the moment its
 * release is sent, or its connection is lost, it is not.
 */
export function openGate(step: Step, activation: Activation): void {
  const { gate } = activation;
  const [first] = gate;
  if (first === undefined || !isSeen(activation, first.after) || !mayAnswer(step, activation)) return;
  let count = 0;
  for (const output of gate) {
    if (!isSeen(activation, output.after)) break;
    activation.jobs.delete(output.work.job.call);
    replyWork(step, output.work, output.answer, activation.n, activation.uid);
    count += 1;
  }
  activation.gate = gate.slice(count);
}

function isSeen(activation: Activation, after: number): boolean {
  return after <= activation.accepted;
}

function mayAnswer(step: Step, activation: Activation): boolean {
  return activation.claim === "owner" && activation.verified && step.world.leaseValid();
}

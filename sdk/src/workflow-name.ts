// Names of workflows' ids, steps and signals.
import { VodaError } from "./error.ts";
import { didYouMean } from "./near.ts";
import { badRequest, textOf } from "./session.ts";

/** UTF-16 units of one. */
export const workflowNameCharsMax = 128;

/** `what`: the name of the name. @throws VodaError for what is none */
export const workflowNameOf = (what: string, name: unknown): string =>
  textOf(what, name, workflowNameCharsMax);

/** `way`: how the step is written. @throws VodaError for what is no name */
export const stepNameOf = (way: string, name: unknown): string =>
  workflowNameOf(`${way}: the name of a step, which comes first,`, name);

/** @throws VodaError for what is no signal */
export function signalNameOf(what: string, given: unknown): string {
  if (typeof given !== "object" || given === null || !("signal" in given))
    throw badRequest(`${what} takes a signal first, as signal("name") makes it`);
  return workflowNameOf(`${what}: the name of a signal`, given.signal);
}

/** @throws VodaError for what is no id */
export const workflowIdOf = (id: unknown): string => workflowNameOf("the id of a workflow", id);

/** Whether there is such a workflow. @throws VodaError `workflow_not_found` */
export function checkWorkflowName(workflow: string, known: Iterable<string>): void {
  const names = [...known];
  if (names.includes(workflow)) return;
  const shown = JSON.stringify(workflow.slice(0, workflowNameCharsMax));
  throw new VodaError(
    "not_found",
    `this agent has no workflow ${shown}${didYouMean(workflow, names)}; it has: ${names.join(", ")}`,
    { reason: "workflow_not_found" },
  );
}

// Names of workflows' ids, steps and signals.
import { VodaError } from "./error.ts";
import { type Json, sentProblem } from "./json.ts";
import { didYouMean } from "./near.ts";
import { badRequest } from "./session.ts";

/** UTF-16 units of one. */
export const workflowNameCharsMax = 128;

/** Whether it is one. */
export const isWorkflowName = (name: unknown): name is string =>
  typeof name === "string" && name !== "" && name.length <= workflowNameCharsMax && name.isWellFormed();

/** @throws VodaError for what is no name */
export function checkStepName(what: string, name: unknown): void {
  if (!isWorkflowName(name))
    throw badRequest(`${what}: a step has a name of 1 to ${workflowNameCharsMax} characters`);
}

/** @throws VodaError for what is no signal */
export function signalNameOf(what: string, given: unknown): string {
  const name = typeof given === "object" && given !== null && "signal" in given ? given.signal : undefined;
  if (!isWorkflowName(name)) throw badRequest(`${what} takes a signal first, as signal("name") makes it`);
  return name;
}

/** @throws VodaError for what is no id */
export function workflowIdOf(id: unknown): string {
  if (!isWorkflowName(id))
    throw badRequest(`the id of a workflow is a string of 1 to ${workflowNameCharsMax} characters`);
  return id;
}

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

/** As it is kept. @throws VodaError for what JSON does not have */
export function keptJson(what: string, value: unknown): Json | undefined {
  const problem = value === undefined ? undefined : sentProblem(value, what);
  if (problem !== undefined) throw badRequest(problem);
  const text: string | undefined = JSON.stringify(value);
  return text === undefined ? undefined : JSON.parse(text);
}

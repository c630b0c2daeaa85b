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
export function signalNameOf(given: unknown): string {
  if (typeof given !== "object" || given === null || !("signal" in given))
    throw badRequest(`it takes a signal, as signal("name") makes it, not ${kindOf(given)}`);
  return workflowNameOf("the name of a signal", given.signal);
}

const kindOf = (given: unknown): string =>
  typeof given === "string"
    ? `the text ${JSON.stringify(given.slice(0, workflowNameCharsMax))}`
    : typeof given;

/** @throws VodaError for what is no id, such as a signal: `ctx.notify` takes the id first */
export const workflowIdOf = (id: unknown): string => workflowNameOf("the id of a workflow", id);

/** Names of workflows in one refusal. */
const namesShown = 20;

/** Whether there is such a workflow. @throws VodaError `workflow_not_found`, or for no name */
export function checkWorkflowName(workflow: string, known: Iterable<string>): void {
  const names = [...known];
  if (names.includes(workflow)) return;
  const more = names.length > namesShown ? ` and ${names.length - namesShown} more` : "";
  const has = `it has: ${names.slice(0, namesShown).join(", ")}${more}`;
  if (workflow === "") throw badRequest(`"workflow" is the name of one of the agent; ${has}`);
  const shown = JSON.stringify(workflow.slice(0, workflowNameCharsMax));
  throw new VodaError(
    "not_found",
    `the agent has no workflow ${shown}${didYouMean(workflow, names)}; ${has}`,
    {
      reason: "workflow_not_found",
    },
  );
}

/** What it refuses says what was called, and keeps its code and reason. */
export function refusedBy<T>(way: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!VodaError.is(error)) throw error;
    const { code, reason, details, retryAfterMs: retryAfter } = error;
    const options = { reason, details, ...(retryAfter !== undefined && { retryAfter }) };
    throw new VodaError(code, `${way}: ${error.message}`, options);
  }
}

// The handlers that an agent with workflows has beside its own.
import { didYouMean } from "./near.ts";
import { badRequest } from "./session.ts";
import { type WorkflowTurn, workflowsOfTurn } from "./workflow-host.ts";
import { keptJson } from "./workflow-json.ts";
import { workflowIdOf, workflowNameOf } from "./workflow-name.ts";

/** What a caller of a handler sends, as a client or plain HTTP writes it. */
interface WorkflowCall {
  readonly workflow?: unknown;
  readonly id?: unknown;
  readonly input?: unknown;
  readonly signal?: unknown;
  readonly data?: unknown;
}

/** `names`: those that this handler knows. @throws VodaError */
function callOf(input: unknown, names: readonly (keyof WorkflowCall)[]): WorkflowCall {
  if (typeof input !== "object" || input === null || Array.isArray(input))
    throw badRequest(`the input is an object with ${names.join(", ")}`);
  const known: readonly string[] = names;
  const strange = Object.keys(input).find((name) => !known.includes(name));
  if (strange !== undefined)
    throw badRequest(`"${strange}" is unknown${didYouMean(strange, known)}; known are ${known.join(", ")}`);
  return input;
}

/** The context of a handler, as far as these need it. */
interface Turning {
  readonly [workflowsOfTurn]: WorkflowTurn;
}

/** A handler that an agent with workflows has beside its own. */
export interface WorkflowMethod {
  readonly name: string;
  readonly mode: "handler" | "readonly";
  readonly access?: "internal";
  readonly description?: string;
  readonly run: (ctx: Turning, input: unknown) => unknown;
}

/** Names of those that the host alone calls. */
export const workflowTurns = { write: "_workflow", read: "_workflowRead" } as const;

/** What clients call: `$workflows` of a client does, and whoever speaks HTTP. */
export const workflowMethods: readonly WorkflowMethod[] = [
  {
    name: "startWorkflow",
    mode: "handler",
    description: "Starts a workflow: { workflow, id?, input? }. Gives { id }.",
    run: ({ [workflowsOfTurn]: workflows }, input) => {
      const { workflow, id, input: given } = callOf(input, ["workflow", "id", "input"]);
      if (typeof workflow !== "string") throw badRequest('"workflow" is the name of one');
      return {
        id: workflows.start({
          workflow,
          id: id === undefined ? undefined : workflowIdOf(id),
          input: keptJson("the input", given),
        }),
      };
    },
  },
  {
    name: "signalWorkflow",
    mode: "handler",
    description: "Gives a workflow a signal: { id, signal, data? }.",
    run: ({ [workflowsOfTurn]: workflows }, input) => {
      const { id, signal: name, data } = callOf(input, ["id", "signal", "data"]);
      const signal = workflowNameOf('"signal"', name);
      workflows.signal({ id: workflowIdOf(id), signal, data: keptJson("the data", data) });
    },
  },
  {
    name: "cancelWorkflow",
    mode: "handler",
    description: "Has a workflow undo what it did and end: { id }. False when it had ended.",
    run: ({ [workflowsOfTurn]: workflows }, input) =>
      workflows.cancel(workflowIdOf(callOf(input, ["id"]).id)),
  },
  {
    name: "workflowStatus",
    mode: "readonly",
    description: "What is known of a workflow: { id }.",
    run: ({ [workflowsOfTurn]: workflows }, input) =>
      workflows.status(workflowIdOf(callOf(input, ["id"]).id)),
  },
  {
    name: workflowTurns.write,
    mode: "handler",
    access: "internal",
    run: ({ [workflowsOfTurn]: workflows }, input) => workflows.perform(input),
  },
  {
    name: workflowTurns.read,
    mode: "readonly",
    access: "internal",
    run: ({ [workflowsOfTurn]: workflows }, input) => workflows.perform(input),
  },
];

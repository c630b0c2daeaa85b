// The handlers that an agent with workflows has beside its own.
import { VodaError } from "./error.ts";
import { didYouMean } from "./near.ts";
import { badRequest } from "./session.ts";
import type { WorkflowAccess } from "./workflow.ts";
import { type WorkflowTurn, workflowsOfTurn } from "./workflow-host.ts";
import { keptJson } from "./workflow-json.ts";
import { refusedBy, workflowIdOf, workflowNameOf } from "./workflow-name.ts";

/** What a caller of a handler sends, as a client or plain HTTP writes it. */
interface WorkflowCall {
  readonly workflow?: unknown;
  readonly id?: unknown;
  readonly input?: unknown;
  readonly signal?: unknown;
  readonly data?: unknown;
}

type CallName = keyof WorkflowCall;

/** `names`: those that this handler knows. @throws VodaError */
function callOf(input: unknown, names: readonly CallName[]): WorkflowCall {
  if (typeof input !== "object" || input === null || Array.isArray(input))
    throw badRequest(`the input is an object with ${names.join(", ")}`);
  const known: readonly string[] = names;
  const strange = Object.keys(input).find((name) => !known.includes(name));
  if (strange !== undefined)
    throw badRequest(`"${strange}" is unknown${didYouMean(strange, known)}; known are ${known.join(", ")}`);
  return input;
}

/** Of a workflow that is there, and of the name that is meant, if one is. @throws VodaError */
function knownId(workflows: WorkflowTurn, { id: given, workflow }: WorkflowCall): string {
  const id = workflowIdOf(given);
  if (workflow === undefined) return id;
  const { workflow: name } = workflows.status(id);
  if (name === workflow) return id;
  throw new VodaError(
    "not_found",
    `${JSON.stringify(id)} is the id of a workflow ${name}, not ${JSON.stringify(workflow)}`,
    { reason: "workflow_not_found" },
  );
}

/** The context of a handler, as far as these need it. */
interface Turning {
  readonly key: string;
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

interface Spoken extends Pick<WorkflowMethod, "name" | "mode" | "description"> {
  readonly names: readonly CallName[];
  readonly act: (workflows: WorkflowTurn, call: WorkflowCall) => unknown;
}

/** What agents call, and clients where they may: `$workflows` of a client does, and whoever speaks HTTP. */
const spoken: readonly Spoken[] = [
  {
    name: "startWorkflow",
    mode: "handler",
    description: "Starts a workflow: { workflow, id?, input? }. Gives { id }.",
    names: ["workflow", "id", "input"],
    act: (workflows, { workflow = "", id, input }) => ({
      id: workflows.start({
        workflow: String(workflow),
        id: id === undefined ? undefined : workflowIdOf(id),
        input: keptJson("the input", input),
      }),
    }),
  },
  {
    name: "signalWorkflow",
    mode: "handler",
    description: "Gives a workflow a signal: { id, signal, data?, workflow? }.",
    names: ["id", "signal", "data", "workflow"],
    act(workflows, call) {
      const signal = workflowNameOf('"signal"', call.signal);
      const data = keptJson("the data", call.data);
      workflows.signal({ id: knownId(workflows, call), signal, data });
    },
  },
  {
    name: "cancelWorkflow",
    mode: "handler",
    description: "Has a workflow undo what it did and end: { id, workflow? }. False when it had ended.",
    names: ["id", "workflow"],
    act: (workflows, call) => workflows.cancel(knownId(workflows, call)),
  },
  {
    name: "workflowStatus",
    mode: "readonly",
    description: "What is known of a workflow: { id, workflow? }.",
    names: ["id", "workflow"],
    act: (workflows, call) => workflows.status(knownId(workflows, call)),
  },
];

/** Names of all of these. */
export const workflowMethodNames: ReadonlySet<string> = new Set(spoken.map(({ name }) => name));

const ofHost = (name: string, mode: WorkflowMethod["mode"]): WorkflowMethod => ({
  name,
  mode,
  access: "internal",
  run: ({ [workflowsOfTurn]: workflows }, input) => workflows.perform(input),
});

/** All of them. A refusal says which it was, of which session: it may be read in a dead letter. */
export function workflowMethodsOf(agent: string, access: WorkflowAccess): readonly WorkflowMethod[] {
  const ofAuthor = spoken.map(
    ({ names, act, ...method }): WorkflowMethod => ({
      ...method,
      ...(!(access === "public" || access === method.mode) && { access: "internal" }),
      run: ({ key, [workflowsOfTurn]: workflows }, input) =>
        refusedBy(`${method.name} of ${agent}/${key}`, () => act(workflows, callOf(input, names))),
    }),
  );
  return [...ofAuthor, ofHost(workflowTurns.write, "handler"), ofHost(workflowTurns.read, "readonly")];
}

// Zone `voda/definition`: agents as plain data and functions, for the programs that host or deploy them.
import type { DescMessage } from "@bufbuild/protobuf";
import type { agentTypes } from "./agent-types.ts";
import type { CallContext } from "./context.ts";
import type { Json } from "./json.ts";
import type { Limits } from "./options.ts";
import type { RunFunction } from "./run.ts";
import type { CancelFunction, ScheduleFunction } from "./schedule.ts";
import type { FieldKind, Schema, Validate } from "./schema.ts";
import type { SendFunction } from "./send.ts";
import type { WorkflowBody, WorkflowTurn, workflowsOfTurn } from "./workflow-host.ts";
import type { CancelWorkflowFunction, NotifyFunction } from "./workflow-start.ts";

export type * from "@voda/proto/fields";
export { type Details, readDetails } from "./answer.ts";
export {
  type AskFunction,
  type AskRequest,
  askFunction,
  type NameFunction,
  nameShown,
  wayOf,
} from "./ask.ts";
export type { CallContext, Caller, Ctx, Logger, ReadCtx } from "./context.ts";
export type { TimingWorld } from "./due.ts";
export {
  type ClientReason,
  type Code,
  type Reason,
  retryAfterMsMax,
  VodaError,
  type VodaErrorOptions,
} from "./error.ts";
export { type GatherFunction, gatherFunction } from "./gather.ts";
export { isBeingChecked, isRefusedInput } from "./input.ts";
export { BrokenSchemaError } from "./issues.ts";
export { bodyDepthMax, type Json, jsonProblem, sentProblem } from "./json.ts";
export { didYouMean } from "./near.ts";
export type { Limits, Resources } from "./options.ts";
export { type RunFunction, type RunOp, type RunRequest, runFunction, stepAttemptsMax } from "./run.ts";
export {
  type CancelFunction,
  cancelFunction,
  type ScheduleFunction,
  scheduleFunction,
} from "./schedule.ts";
export type { FieldKind, Schema, Validate, Validation } from "./schema.ts";
export { type SendFunction, type SendRequest, sendFunction } from "./send.ts";
export { isThenable } from "./thenable.ts";
export type { WorkflowError, WorkflowPhase, WorkflowStatus } from "./workflow.ts";
export {
  cancelWorkflowFunction,
  notifyFunction,
  type SignalRequest,
  type SleepTime,
  type StartRequest,
  startFunctions,
  type TxFunction,
  type UndoFunction,
  type WaitEnd,
  type WorkflowBody,
  type WorkflowHost,
  type WorkflowTurn,
  workflowContext,
  workflowFields,
  workflowsOfTurn,
} from "./workflow-host.ts";
export { keptDepthMax, keptJson, keptProblem } from "./workflow-json.ts";
export { workflowMethodNames, workflowTurns } from "./workflow-methods.ts";
export { checkWorkflowName } from "./workflow-name.ts";
export type { CancelWorkflowFunction, NotifyFunction } from "./workflow-start.ts";

const provided = /^(voda|@bufbuild\/protobuf)($|\/)/;

/**
 * Whether a bundle gets this module from the program that loads it instead of bringing its own: one
 * VodaError, one symbol, and one protobuf library, because descriptors of one version are misread by another
 * (enums in JSON became numbers).
 */
export function isProvided(specifier: string): boolean {
  return provided.test(specifier);
}

/** `handler`: one at a time, one transaction each. `readonly`: concurrent, may not change the state. */
export type MethodMode = "handler" | "readonly";

/** One field of the state. */
export interface FieldDefinition {
  /** Property in `ctx.state`. */
  readonly name: string;
  readonly kind: FieldKind;
  /** What a new session has; only of registers. */
  readonly initial?: Json;
  /** How many of its newest places a log keeps. Absent: all. */
  readonly keep?: number;
}

/** One handler of an agent. */
export interface MethodDefinition {
  /** Name in plain paths: `POST /agents/{agent}/{key}/{method}`. */
  readonly name: string;
  readonly mode: MethodMode;
  /** Full name of the protobuf service; absent for plain handlers. */
  readonly service?: string;
  /** Name of the rpc in `service`: `AddItem`. */
  readonly rpc?: string;
  /** Agents ask it, clients cannot reach it. Absent: both may call it. */
  readonly access?: "internal";
  /** How long a call of it may run. Absent: as long as any turn of the agent. */
  readonly turnMsMax?: number;
  /** For people. */
  readonly description?: string;
  /** A call of it is refused while a turn runs. Absent: it waits. */
  readonly onBusy?: "reject";
}

/** An agent as plain data: what can be stored, sent and compared. Deeply frozen. */
export interface AgentDefinition extends Limits {
  readonly name: string;
  readonly fields: readonly FieldDefinition[];
  /** In the order in which they were defined; names are unique. */
  readonly methods: readonly MethodDefinition[];
}

/** The context that a host builds for one call. */
export interface HostContext extends CallContext {
  readonly state: object;
  readonly send: SendFunction;
  readonly schedule: ScheduleFunction;
  readonly cancel: CancelFunction;
  readonly run: RunFunction;
  readonly start: object;
  readonly notify: NotifyFunction;
  readonly cancelWorkflow: CancelWorkflowFunction;
  /** Of agents with workflows. */
  readonly [workflowsOfTurn]: WorkflowTurn;
}

/** A handler whose input and answer are JSON. */
export interface PlainHandler {
  readonly type: "plain";
  readonly mode: MethodMode;
  /** How long it may run. Absent: as long as any turn of the agent. */
  readonly turnMsMax?: number;
  /** Returns the answer or a promise of it; `undefined` means no content. */
  readonly run: (ctx: HostContext, input: unknown) => unknown;
}

/** A handler whose input and answer are protobuf messages. */
export interface ProtoHandler {
  readonly type: "proto";
  readonly mode: MethodMode;
  readonly input: DescMessage;
  readonly output: DescMessage;
  /** Takes a message of `input`; returns what initialises a message of `output`, or a promise of it. */
  readonly run: (ctx: HostContext, message: unknown) => unknown;
}

/** What runs when a method is called. */
export type Handler = PlainHandler | ProtoHandler;

/** What an agent holds for its host. */
export interface AgentParts {
  readonly definition: AgentDefinition;
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly validators: ReadonlyMap<string, Validate>;
  readonly workflows: ReadonlyMap<string, WorkflowBody>;
}

/**
 * Where an agent keeps its parts. Registered, because the bundle and the node may hold different copies of
 * this package.
 */
export const agentParts: unique symbol = Symbol.for("voda.agent");

/** Any agent. */
export interface AnyAgent {
  readonly name: string;
  readonly [agentParts]: AgentParts;
  readonly [agentTypes]?: {
    readonly schema: Schema;
    readonly handlers: object;
    readonly workflows: object;
  };
}

/** An agent with the types of its state, of its plain handlers and of its workflows. */
export interface TypedAgent<N extends string, S extends Schema, H extends object, W extends object = object>
  extends AnyAgent {
  readonly name: N;
  readonly [agentTypes]?: { readonly schema: S; readonly handlers: H; readonly workflows: W };
}

/** Whether it was made by `agent(...)`, of this or another copy of this package. */
export function isAgent(value: unknown): value is AnyAgent {
  return typeof value === "object" && value !== null && agentParts in value;
}

/** The agent as plain data. */
export function definitionOf(agent: AnyAgent): AgentDefinition {
  return agent[agentParts].definition;
}

/** What runs for each method, by its name. */
export function handlersOf(agent: AnyAgent): ReadonlyMap<string, Handler> {
  return agent[agentParts].handlers;
}

/** What runs as each workflow, by its name. */
export function workflowsOf(agent: AnyAgent): ReadonlyMap<string, WorkflowBody> {
  return agent[agentParts].workflows;
}

/** What checks a value before it is written, by the name of the field; only fields with a schema have one. */
export function validatorsOf(agent: AnyAgent): ReadonlyMap<string, Validate> {
  return agent[agentParts].validators;
}

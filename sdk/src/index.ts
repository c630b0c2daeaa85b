// Zone `voda`: what an author of agents uses. The types of all handles come from the table of kinds, as they
// are.
export type * from "@voda/proto/fields";
export { type Agent, agent, type Handlers, type Returnable } from "./agent.ts";
export type { Internal } from "./agent-types.ts";
export type { AskFunction, AskOptions, AskSession } from "./ask.ts";
export type { CallContext, Caller, Ctx, Logger, ReadCtx, ReadState, State } from "./context.ts";
export type { AnyAgent } from "./definition.ts";
export type { Duration } from "./duration.ts";
export { type ClientReason, type Code, type Reason, VodaError, type VodaErrorOptions } from "./error.ts";
export type { Gathered, GatherFunction, GatherOptions } from "./gather.ts";
export type { HandlerOptions } from "./handler.ts";
export type { Json } from "./json.ts";
export type { AgentOptions, Place } from "./options.ts";
export type { RetryPolicy, RunFunction, RunOp, RunOptions } from "./run.ts";
export type {
  CancelFunction,
  ScheduleFunction,
  ScheduleOptions,
  ScheduleSession,
  ScheduleTime,
} from "./schedule.ts";
export { type Field, type FieldKind, type Schema, type SchemaOf, s } from "./schema.ts";
export type { SendFunction, SendOptions, SendSession } from "./send.ts";
export type { ServiceImpl } from "./service.ts";
export type { Published } from "./subscription.ts";
export {
  type Topic,
  type TopicFunction,
  type TopicHandlers,
  type TopicOptions,
  topic,
  topicBacklogBytesMax,
  topicMessageBytesMax,
} from "./topic.ts";
export type {
  SleepOptions,
  WaitFunction,
  WaitOptions,
  WorkflowAccess,
  WorkflowCtx,
  WorkflowError,
  WorkflowHandlers,
  WorkflowName,
  WorkflowPhase,
  WorkflowRunFunction,
  WorkflowRunOptions,
  WorkflowStatus,
  Workflows,
  WorkflowsOptions,
} from "./workflow.ts";
export {
  type AnyWorkflows,
  type NotifyFunction,
  type Signal,
  type SignalData,
  type StartArguments,
  type StartOptions,
  type Starts,
  signal,
  type WorkflowRef,
} from "./workflow-start.ts";

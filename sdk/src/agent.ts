// The builder: agent(name, schema, options).readonly({...}).handlers({...}).implements(Service, {...})
import type { DescService } from "@bufbuild/protobuf";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { identifierProblem } from "@voda/proto/name";
import type { Ctx, ReadCtx } from "./context.ts";
import {
  type AgentParts,
  agentParts,
  type Handler,
  type HostContext,
  type MethodDefinition,
  type MethodMode,
  type TypedAgent,
} from "./definition.ts";
import {
  type Checked,
  type ContextOf,
  type HandlerOptions,
  handlerSettings,
  type Reached,
} from "./handler.ts";
import { beginCheck, type CheckInput, endCheck } from "./input.ts";
import type { IfJson } from "./json.ts";
import { nameProblem, reservedProblem, rpcNameProblem } from "./name.ts";
import { type AgentOptions, limitsOf, type NoSuchOption, refuseUnknown } from "./options.ts";
import { fieldsOf, type Schema, type Validate } from "./schema.ts";
import { methodsOf, type ServiceImpl, type UnaryOnly } from "./service.ts";
import type { Input } from "./session.ts";
import { isTopic, type Published, subscriberOf } from "./subscription.ts";
import { isThenable } from "./thenable.ts";
import type {
  WorkflowAccess,
  WorkflowCtx,
  WorkflowHandlers,
  Workflows,
  WorkflowsOptions,
} from "./workflow.ts";
import { type WorkflowBody, workflowFields } from "./workflow-host.ts";
import { workflowMethodsOf, workflowTurns } from "./workflow-methods.ts";

/** What a handler may return, or promise: JSON, values and handles of the state, or nothing. */
export type Returnable =
  | undefined
  | null
  | boolean
  | number
  | string
  | (object & { readonly bind?: never })
  | void;

/** Handlers by name: the context first, then at most one input. */
export interface Handlers<C> {
  readonly [name: string]: (ctx: C, input: never) => Returnable | Promise<Returnable>;
}

/** Makes an answer that JSON cannot carry a type error that says so. */
type Answers<X> = {
  readonly [K in keyof X]: X[K] extends (...args: never[]) => infer R ? IfJson<Awaited<R>, unknown> : unknown;
};
/** The same of an input. */
type Inputs<X> = { readonly [K in keyof X]: IfJson<Input<X[K]>, unknown> };
/**
 * Makes a name that was defined before a type error that says so. After a block with an error of its own all
 * names would be taken.
 */
type OnlyNew<H> = string extends keyof H
  ? unknown
  : { readonly [K in keyof H]?: "this agent has a handler of this name already" };
type NotTaken<H, K> = string extends keyof H
  ? unknown
  : K extends keyof H
    ? "this agent has a handler of this name already"
    : unknown;
type KnownOnly<O, Known = HandlerOptions> = {
  readonly [K in Exclude<keyof O, keyof Known>]: NoSuchOption;
};
/** Whether a block of workflows is the first of its agent. */
type FirstOf<H, Yes, No> = "startWorkflow" extends keyof H ? No : Yes;
// What a block adds to must have no properties yet.
// oxlint-disable-next-line typescript/no-generated-empty-object-type -- see above
type None = Record<never, never>;

/**
 * An agent: a name, a state, handlers. Each block returns a new agent and leaves this one as it is.
 * All blocks throw TypeError for a name that is malformed, reserved or taken, and for what is not a function.
 */
export interface Agent<N extends string, S extends Schema, H extends object, W extends object = object>
  extends TypedAgent<N, S, H, W> {
  /** Adds handlers that run concurrently on the newest committed state and cannot write to it. */
  readonly<X extends Handlers<ReadCtx<S>> & OnlyNew<H>>(
    handlers: X & Answers<X> & Inputs<X>,
  ): Agent<N, S, H & X, W>;
  /**
   * Adds handlers that run one at a time, each one transaction: it commits as a whole or, when it throws, not
   * at all.
   */
  handlers<X extends Handlers<Ctx<S, W>> & OnlyNew<H>>(
    handlers: X & Answers<X> & Inputs<X>,
  ): Agent<N, S, H & X, W>;
  /**
   * Adds workflows: functions that may take days, whose steps are kept until they end. Started by
   * `ctx.start`, which blocks after this one have, and by others as `access` says.
   * Options stand at the first block. @throws TypeError also for an unknown or malformed one
   */
  workflows<X extends Workflows<WorkflowCtx<S, W>> & OnlyNew<W>, const O extends WorkflowsOptions = None>(
    workflows: X & Answers<X> & Inputs<X>,
    ...options: FirstOf<H, [options?: O & KnownOnly<O, WorkflowsOptions>], []>
  ): Agent<N, S, FirstOf<H, H & WorkflowHandlers<O>, H>, W & X>;
  /**
   * Adds one handler, as `handlers` and `readonly` do, with a schema of its input or other options of its
   * own. @throws TypeError for an unknown or malformed option, RangeError for one out of range
   */
  handler<
    K extends string,
    O extends HandlerOptions & { readonly input: StandardSchemaV1 },
    R extends Returnable | Promise<Returnable>,
  >(
    name: K & NotTaken<H, K>,
    options: O & KnownOnly<O>,
    run: (
      ctx: ContextOf<S, O, W>,
      input: StandardSchemaV1.InferOutput<O["input"]>,
    ) => R & IfJson<Awaited<R>, unknown>,
  ): Agent<N, S, H & { readonly [P in K]: Checked<ContextOf<S, O, W>, O["input"], R> & Reached<O> }, W>;
  /** The same without a schema: the input is unchecked, as in the blocks. */
  handler<
    K extends string,
    O extends HandlerOptions & { readonly input?: undefined },
    F extends Handlers<ContextOf<S, O, W>>[string],
  >(
    name: K & NotTaken<H, K>,
    options: O & KnownOnly<O>,
    run: F & IfJson<Awaited<ReturnType<F>>, unknown> & IfJson<Input<F>, unknown>,
  ): Agent<N, S, H & { readonly [P in K]: F & Reached<O> }, W>;
  /**
   * Implements all methods of a protobuf service; they must be unary. Methods with `idempotency_level =
   * NO_SIDE_EFFECTS` are `readonly`: writing in one fails. Called by generated clients (Connect, gRPC,
   * gRPC-Web), not by `voda/client`.
   */
  implements<D extends DescService>(
    service: D & UnaryOnly<D>,
    implementation: ServiceImpl<D, Ctx<S, W>>,
  ): Agent<N, S, H, W>;
  /**
   * Adds the handler of what a topic passes on, once its session has sent the topic `subscribe`. It is
   * `internal`: a message as others are (docs/topics.md).
   */
  on<X>(
    topic: Published<X>,
    run: (ctx: Ctx<S, W>, message: X) => Returnable | Promise<Returnable>,
  ): Agent<N, S, H, W>;
}

/**
 * Defines an agent.
 *
 * ```ts
 * export const counter = agent("counter", { count: s.counter() })
 *   .readonly({ get: (ctx) => ctx.state.count.value })
 *   .handlers({ add: (ctx, by: number) => ctx.state.count.add(by) });
 * ```
 * @param name 1 to 63 of a-z, 0-9 and "-", first a letter; part of every session's address
 * @param schema fields of the state, made by `s`. Default none
 * @param options see AgentOptions for defaults and ranges
 * @throws TypeError for a bad name, field or option, RangeError for an option out of range
 */
export function agent<const N extends string, S extends Schema = None>(
  name: N,
  schema?: S,
  options: AgentOptions = {},
): Agent<N, S, None> {
  const problem = identifierProblem("agent", name);
  if (problem !== undefined) throw new TypeError(problem);
  const fields = fieldsOf(name, schema === undefined ? {} : schema);
  const validators = new Map<string, Validate>();
  for (const field of fields) if (field.validate !== undefined) validators.set(field.name, field.validate);
  const plainFields = fields.map(({ name: field, kind, initial, keep }) =>
    Object.freeze({
      name: field,
      kind,
      ...(initial !== undefined && { initial }),
      ...(keep !== undefined && { keep }),
    }),
  );
  const limits = limitsOf(name, options);
  const definition = { name, fields: Object.freeze(plainFields), methods: Object.freeze([]), ...limits };
  Object.freeze(limits.resources);
  const parts = {
    definition: Object.freeze(definition),
    handlers: new Map(),
    validators,
    workflows: new Map(),
  };
  return assemble(parts) as Agent<N, S, None>;
}

const workflowAccesses: readonly WorkflowAccess[] = ["public", "readonly", "internal"];
const workflowsOptionNames: ReadonlySet<string> = new Set(["access"]);

type Functions = Readonly<Record<string, Run>>;
type Run = (ctx: HostContext, input: unknown) => unknown;

/** Each block makes another one; their types are those of `Agent`. */
function assemble(parts: AgentParts): object {
  return Object.freeze({
    name: parts.definition.name,
    [agentParts]: Object.freeze(parts),
    readonly: (functions: Functions) => assemble(withPlain(parts, "readonly", functions)),
    handlers: (functions: Functions) => assemble(withPlain(parts, "handler", functions)),
    handler: (name: string, options: HandlerOptions, run: Run) =>
      assemble(withOptions(parts, name, options, run)),
    implements: (service: DescService, implementation: object) =>
      assemble(withService(parts, service, implementation)),
    on: (topic: unknown, run: Run) => assemble(withTopic(parts, topic, run)),
    workflows: (functions: Readonly<Record<string, WorkflowBody>>, options?: WorkflowsOptions) =>
      assemble(withWorkflows(parts, functions, options)),
  });
}

interface Addition {
  readonly method: MethodDefinition;
  readonly handler: Handler;
}

function withPlain(parts: AgentParts, mode: MethodMode, functions: Functions): AgentParts {
  const agentName = parts.definition.name;
  if (typeof functions !== "object" || functions === null)
    throw new TypeError(`agent ${agentName}: a block of handlers is an object of functions`);
  const additions = Object.entries(functions).map(([name, run]): Addition => {
    refuseFunction(`agent ${agentName}: handler "${name}"`, run);
    return { method: { name, mode }, handler: { type: "plain", mode, run } };
  });
  return withAdditions(parts, additions);
}

function withOptions(parts: AgentParts, name: string, options: HandlerOptions, run: Run): AgentParts {
  const agentName = parts.definition.name;
  const what = `agent ${agentName}: handler "${name}"`;
  const { check, mode, plain } = handlerSettings(what, options);
  refuseFunction(what, run);
  const { turnMsMax } = plain;
  const handler: Handler = {
    type: "plain",
    mode,
    run: check === undefined ? run : afterCheck(check, run),
    ...(turnMsMax !== undefined && { turnMsMax }),
  };
  return withAdditions(parts, [{ method: { name, mode, ...plain }, handler }]);
}

/** A handler whose caller went away during its check does not begin. */
function afterCheck(check: CheckInput, run: Run): Run {
  return (ctx, input) => {
    const checked = check(input);
    if (!isThenable(checked)) return run(ctx, checked);
    beginCheck(ctx);
    return checked.then((value: unknown) => {
      endCheck(ctx);
      ctx.signal.throwIfAborted();
      return run(ctx, value);
    });
  };
}

function withService(parts: AgentParts, service: DescService, implementation: object): AgentParts {
  const agentName = parts.definition.name;
  const additions = methodsOf(agentName, service, implementation).map((method): Addition => {
    const mode = method.isReadonly ? "readonly" : "handler";
    const { name, rpc, input, output, run } = method;
    refuseFunction(`agent ${agentName}: handler "${name}"`, run);
    return {
      method: { name, mode, service: service.typeName, rpc },
      handler: { type: "proto", mode, input, output, run: run as Run },
    };
  });
  return withAdditions(parts, additions);
}

function withTopic(parts: AgentParts, topic: unknown, run: Run): AgentParts {
  if (!isTopic(topic))
    throw new TypeError(
      `agent ${parts.definition.name}: on(...) takes a topic first, as topic(...) makes it, not ${typeof topic}`,
    );
  return withOptions(parts, subscriberOf(topic.name), { access: "internal" }, run);
}

function withWorkflows(
  parts: AgentParts,
  functions: Readonly<Record<string, WorkflowBody>>,
  options: WorkflowsOptions | undefined,
): AgentParts {
  const what = `agent ${parts.definition.name}: workflow`;
  if (options !== undefined && hasWorkflows(parts))
    throw new TypeError(`${what}s: options stand at the first block, for those of all`);
  const access = accessOf(`${what}s`, options === undefined ? {} : options);
  if (typeof functions !== "object" || functions === null)
    throw new TypeError(`${what}s are a block: an object of functions`);
  const workflows = new Map(parts.workflows);
  for (const [name, run] of Object.entries(functions)) {
    const problem = nameProblem(name) ?? reservedProblem(name);
    if (problem !== undefined) throw new TypeError(`${what} ${problem}`);
    if (workflows.has(name)) throw new TypeError(`${what} "${name}" is there already`);
    refuseFunction(`${what} "${name}"`, run);
    workflows.set(name, run);
  }
  return { ...(hasWorkflows(parts) ? parts : withWorkflowParts(parts, access)), workflows };
}

const hasWorkflows = ({ handlers }: AgentParts): boolean => handlers.has(workflowTurns.write);

/** @throws TypeError */
function accessOf(what: string, options: WorkflowsOptions): WorkflowAccess {
  refuseUnknown(`${what}: option`, options, workflowsOptionNames);
  const { access = "readonly" } = options;
  if (workflowAccesses.includes(access)) return access;
  throw new TypeError(
    `${what}: access of ${JSON.stringify(access)} is none of ${workflowAccesses.join(", ")}`,
  );
}

/** What every agent with workflows has beside its own. */
function withWorkflowParts(parts: AgentParts, access: WorkflowAccess): AgentParts {
  const maps = Object.values(workflowFields).map((name) => Object.freeze({ name, kind: "map" as const }));
  const fields = Object.freeze([...parts.definition.fields, ...maps]);
  return withAdditions(
    { ...parts, definition: Object.freeze({ ...parts.definition, fields }) },
    workflowMethodsOf(parts.definition.name, access).map(({ run, ...method }) => ({
      method,
      handler: { type: "plain", mode: method.mode, run },
    })),
    ({ name }) => rpcNameProblem(name),
  );
}

function withAdditions(
  parts: AgentParts,
  additions: readonly Addition[],
  nameProblemOf = (method: MethodDefinition): string | undefined => methodNameProblem(method),
): AgentParts {
  const handlers = new Map(parts.handlers);
  for (const { method, handler } of additions) {
    const problem = nameProblemOf(method);
    if (problem !== undefined) throw new TypeError(`agent ${parts.definition.name}: handler ${problem}`);
    if (handlers.has(method.name))
      throw new TypeError(
        `agent ${parts.definition.name}: there is a handler "${method.name}" already; ` +
          "names are unique over all blocks",
      );
    handlers.set(method.name, Object.freeze(handler));
  }
  const methods = Object.freeze([
    ...parts.definition.methods,
    ...additions.map(({ method }) => Object.freeze(method)),
  ]);
  return { ...parts, handlers, definition: Object.freeze({ ...parts.definition, methods }) };
}

function methodNameProblem({ name, service }: MethodDefinition): string | undefined {
  if (service !== undefined) return rpcNameProblem(name);
  return nameProblem(name) ?? reservedProblem(name);
}

function refuseFunction(what: string, run: unknown): void {
  if (typeof run !== "function") throw new TypeError(`${what} is not a function`);
  if (/Generator/.test(Object.prototype.toString.call(run)))
    throw new TypeError(`${what} is a generator; it returns one answer`);
  if (run.length > 2)
    throw new TypeError(
      `${what} takes ${run.length} parameters; it takes the context and one input: ` +
        "put several into an object",
    );
}

// A mesh without sockets, on stores in memory and a clock of its own.
import { AsyncLocalStorage } from "node:async_hooks";
import { type BuriedLetter, MemoryMesh } from "@voda/dataplane/testing";
import type { LogLine } from "@voda/proto/log-line";
import { defaultNamespace } from "@voda/proto/name";
import { agentNameOf, told, wayOf } from "./ask.ts";
import { type Client, createClient } from "./client.ts";
import { type Config, defineConfig } from "./config.ts";
import type { ReadState } from "./context.ts";
import type { AnyAgent, TypedAgent } from "./definition.ts";
import { type Duration, durationMs } from "./duration.ts";
import { VodaError } from "./error.ts";
import type { Json, Sent } from "./json.ts";
import { didYouMean } from "./near.ts";
import { refuseUnknown } from "./options.ts";
import type { Schema } from "./schema.ts";
import { checkKey } from "./session.ts";
import { shown } from "./shown.ts";
import type { WorkflowHandlers } from "./workflow.ts";
import type { WorkflowClients } from "./workflow-client.ts";

/** A config, and what else a test mesh takes. */
export interface TestMeshOptions<A extends readonly AnyAgent[]> extends Config<A> {
  /**
   * Draws the order of what happens at the same time: the same seed gives the same run. Default: all happens
   * in the order in which it was set off.
   */
  readonly seed?: number;
  /** Where the clock of the mesh begins. Default: 2026-01-01T00:00:00Z. */
  readonly now?: Date | number;
}

/** A message that its target did not take. */
export interface DeadLetter {
  /** `agent/key` */
  readonly from: string;
  /** `agent/key` */
  readonly to: string;
  readonly method: string;
  readonly input: Json | undefined;
  /** Why, as its last attempt ended. */
  readonly reason: string;
  readonly message: string;
  /** How often its handler was to blame. */
  readonly attempts: number;
}

/**
 * A mesh of one node. Its clock stands still until `advance`, but for the pauses of the mesh itself while a
 * call waits for nothing else (after a death: 100 ms). Disposal ends the calls that are left.
 */
export interface TestMesh<A extends readonly AnyAgent[]> extends AsyncDisposable {
  /**
   * As `createClient` makes it, but that it sends no call again that was answered, be it with a refusal. What
   * a handler or the body of a workflow threw is the `cause` of the error that its caller gets.
   */
  readonly client: Client<{ readonly agents: A }>;
  /** For clients of other kinds, such as a Connect transport for a service: reaches this mesh alone. */
  readonly fetch: typeof fetch;
  /** What the clock of the mesh shows, and `ctx.now()` with it: milliseconds since 1970. */
  now(): number;
  /**
   * Lets so much time pass: what is due meanwhile happens in its order, and what that sets off. Handlers that
   * wait for something outside of the mesh are not waited for.
   * @throws TypeError or RangeError for what is no duration of 0 to 10 years
   */
  advance(by: Duration): Promise<void>;
  /**
   * Waits until messages that were sent are taken and nothing more happens by itself. A message that its
   * target refuses for now is tried again for 5 s of the mesh's time, and then left for `advance`.
   */
  settle(): Promise<void>;
  /** Puts the session to sleep, once its calls have ended: the next one loads it from what is stored. */
  sleep(agent: AnyAgent, key: string): Promise<void>;
  /** Whether the session is in memory. */
  isAwake(agent: AnyAgent, key: string): boolean;
  /**
   * The node dies at once, and another one starts. What was answered is there; calls without an answer are
   * sent again, as clients do it, and take effect once.
   */
  kill(): void;
  /** What is committed of the session, as JSON; of one that nobody has called, what a new one has. */
  state<S extends Schema>(agent: TypedAgent<string, S, object>, key: string): Sent<ReadState<S>>;
  /** As `$workflows` of a client, also of agents whose workflows clients do not reach. */
  workflows<W extends object>(agent: TypedAgent<string, Schema, object, W>, key: string): WorkflowClients<W>;
  /** What handlers have logged, the oldest first: the last 10,000 lines. */
  readonly log: readonly LogLine[];
  /** Messages that were given up. */
  readonly deadLetters: readonly DeadLetter[];
}

const optionNames: ReadonlySet<string> = new Set(["agents", "seed", "now"]);
const startMs = Date.UTC(2026, 0, 1);
const tenYearsMs = 10 * 366 * 86_400_000;
const utf8 = new TextDecoder();

/**
 * A mesh that runs the agents in this process.
 *
 * ```ts
 * const mesh = await testMesh({ agents: [counter] });
 * await mesh.client.counter("alice").add(2);
 * mesh.kill();
 * assert.equal(await mesh.client.counter("alice").get(), 2);
 * ```
 * @throws TypeError or RangeError for a bad option
 */
export async function testMesh<const A extends readonly AnyAgent[]>(
  options: TestMeshOptions<A>,
): Promise<TestMesh<A>> {
  if (Array.isArray(options)) throw new TypeError("testMesh takes an object: testMesh({ agents: [...] })");
  refuseUnknown("test mesh option", options, optionNames);
  const { seed, now } = options;
  const { agents } = defineConfig<A>({ agents: options.agents });
  return meshOver(openMesh(agents, { seed, now, killAt: undefined }), agents);
}

interface MeshParts {
  readonly seed: number | undefined;
  readonly now: Date | number | undefined;
  /** Before which of its steps the node dies. */
  readonly killAt: number | undefined;
}

/** @internal */
export function openMesh(
  agents: readonly AnyAgent[],
  { seed, now = startMs, killAt }: MeshParts,
): MemoryMesh {
  if (seed !== undefined && !Number.isSafeInteger(seed))
    throw new RangeError(`seed of ${shown(seed)} is not a whole number`);
  const nowMs = now instanceof Date ? now.getTime() : now;
  if (!Number.isSafeInteger(nowMs) || nowMs < 0)
    throw new RangeError(`now of ${shown(nowMs)} is no time since 1970`);
  return new MemoryMesh({ agents, seed, nowMs, killAt });
}

/** What users get of it. @internal */
export function meshOver<A extends readonly AnyAgent[]>(mesh: MemoryMesh, agents: A): TestMesh<A> {
  const nameOf = (what: string, agent: AnyAgent, key: string) => {
    const name = agentNameOf(what, agent);
    told(wayOf(what, agent, key), () => checkKey(key));
    const names = agents.map((one) => one.name);
    if (!names.includes(name))
      throw new TypeError(`agent ${name} is not in this mesh${didYouMean(name, names)}`);
    return { namespace: defaultNamespace, agent: name, key };
  };
  const number = numbers();
  const clientBy = <C extends { readonly agents: readonly AnyAgent[] }>(send: typeof fetch) =>
    explained(
      createClient<C>({ url: "http://mesh", fetch: numbered(send, number), retry: { attempts: 1 } }),
      (request) => mesh.takeThrown(request),
    );
  const inside = clientBy<{ readonly agents: readonly [OfWorkflows] }>(mesh.fetchInside);
  return {
    client: clientBy<{ readonly agents: A }>(mesh.fetch),
    fetch: mesh.fetch,
    now: () => mesh.nowMs,
    advance: (by) => mesh.advance(durationMs("advance", by, { minMs: 0, maxMs: tenYearsMs })),
    settle: () => mesh.settle(),
    sleep: (agent, key) => mesh.sleep(nameOf("mesh.sleep", agent, key)),
    isAwake: (agent, key) => mesh.isAwake(nameOf("mesh.isAwake", agent, key)),
    kill: () => mesh.kill(),
    state: (agent, key) => mesh.state(nameOf("mesh.state", agent, key)) as never,
    workflows: (agent, key) => {
      const { agent: name } = nameOf("mesh.workflows", agent, key);
      return inside[name]?.(key).$workflows as never;
    },
    log: mesh.lines,
    get deadLetters() {
      return mesh.deadLetters.map(deadLetterOf);
    },
    [Symbol.asyncDispose]: async () => mesh[Symbol.dispose](),
  };
}

/** Any agent, as far as its workflows are asked for. */
type OfWorkflows = TypedAgent<string, Schema, WorkflowHandlers<{ readonly access: "public" }>>;

function numbers(): () => number {
  let last = 0;
  return () => (last += 1);
}

/** The id of the request that a call of a client has sent last. */
const sent = new AsyncLocalStorage<{ request: string | undefined }>();

/** Each request has an id, by which the log has it. */
function numbered(send: typeof fetch, number: () => number): typeof fetch {
  return (input, init = {}) => {
    const headers = new Headers(init.headers);
    const request = String(number());
    headers.set("x-request-id", request);
    const call = sent.getStore();
    if (call !== undefined) call.request = request;
    return send(input, { ...init, headers });
  };
}

/** The same, whose calls reject with what was thrown as the cause. */
function explained<T extends object>(part: T, thrownIn: (request: string) => unknown): T {
  const explain = (error: unknown, request: string | undefined): never => {
    if (request !== undefined && VodaError.is(error, "internal") && error.reason === "internal")
      Object.assign(error, { cause: thrownIn(request) });
    throw error;
  };
  const called = (run: CallableFunction, args: unknown[]): unknown => {
    const call = { request: undefined };
    const given: unknown = sent.run(call, () => Reflect.apply(run, undefined, args));
    if (!(given instanceof Promise)) return over(given);
    return given.then(
      (answer: unknown) => (isCallable(answer) ? over(answer) : answer),
      (error: unknown) => explain(error, call.request),
    );
  };
  const over = (given: unknown): unknown => {
    if (typeof given === "function") return (...args: unknown[]) => called(given, args);
    return typeof given === "object" && given !== null ? explained(given, thrownIn) : given;
  };
  return new Proxy(part, { get: (target, name) => over(Reflect.get(target, name)) });
}

/** A workflow that was started, not data. */
const isCallable = (answer: unknown): boolean =>
  typeof answer === "object" &&
  answer !== null &&
  Object.values(answer).some((part) => typeof part === "function");

function deadLetterOf({ from, letter, failure, attempts }: BuriedLetter): DeadLetter {
  const { agent, key, method, body } = letter;
  return {
    from: `${from.agent}/${from.key}`,
    to: `${agent}/${key}`,
    method,
    input: body.length === 0 ? undefined : JSON.parse(utf8.decode(body)),
    reason: failure.reason,
    message: failure.message,
    attempts,
  };
}

// Zone `voda/client`: typed calls from Node 20 or newer and from browsers, with nothing but fetch.
import { defaultNamespace, identifierProblem } from "@voda/proto/name";
import { headers as names } from "@voda/proto/wire";
import type { Internal } from "./agent-types.ts";
import { type Call, checkAttempts, type Endpoint, perform } from "./call.ts";
import { callNumbers } from "./call-number.ts";
import type { AnyAgent, TypedAgent } from "./definition.ts";
import { type Duration, type DurationRange, durationMs } from "./duration.ts";
import { hintCache } from "./hint.ts";
import { refuseUnknown } from "./options.ts";
import type { Schema } from "./schema.ts";
import {
  badRequest,
  bodyOf,
  checkKey,
  type Input,
  type Output,
  properties,
  signalProblem,
} from "./session.ts";
import { type WorkflowClients, type WorkflowLooks, workflowClients } from "./workflow-client.ts";

export type { Duration } from "./duration.ts";
export { type ClientReason, type Code, type Reason, VodaError } from "./error.ts";
export { type CallInterceptor, type GeneratedCall, numberedCalls } from "./numbered.ts";
export type { WorkflowLook, WorkflowRun } from "./workflow-client.ts";

/** Options of a client. */
export interface ClientOptions {
  /** Where the mesh is: `http://127.0.0.1:4000`, or `/` in a page that the mesh's own host serves. */
  readonly url: string;
  /** Default `default`. */
  readonly namespace?: string;
  /**
   * How long a call may take with all its attempts: 1 ms to 1 day. Default 30 s. The mesh is told, and stops
   * too.
   */
  readonly timeout?: Duration;
  readonly retry?: {
    /**
     * Attempts of one call, 1 (never sent again) to 100. Default: as many as fit into its timeout, at most
     * about one in 2 s after the first few. The mesh knows them as one call, so that it takes effect once.
     */
    readonly attempts?: number;
  };
  /** Sent with every call. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: the global `fetch`. */
  readonly fetch?: typeof fetch;
}

/** Options of the calls of one session. */
export interface CallOptions {
  /**
   * Idempotency key, 1 to 256 visible ASCII characters: a call that is repeated under it takes effect once
   * and gets the stored answer, as long as `dedupe` of its agent. Default: none; the client numbers its calls
   * then, so that its own attempts take effect once.
   */
  readonly id?: string;
  /** As in ClientOptions. */
  readonly timeout?: Duration;
  /** Ends the call with `canceled`. It may have taken effect. */
  readonly signal?: AbortSignal;
  /** Sent besides those of the client, and instead of them where the names are the same. */
  readonly headers?: Readonly<Record<string, string>>;
}

type Reachable<H> = { [K in keyof H]: H[K] extends Internal ? never : K }[keyof H];

/** The plain handlers of an agent, to be called. Every call rejects with VodaError only. */
export type Session<D extends AnyAgent> =
  D extends TypedAgent<string, Schema, infer H, infer W>
    ? { readonly [K in Reachable<H>]: (...input: Input<H[K]>) => Output<H[K]> } & {
        /**
         * The same session with other options for its calls.
         * @throws TypeError or RangeError for a bad option
         */
        $with(options: CallOptions): Session<D>;
      } & OfWorkflows<H, W>
    : never;

type OfWorkflows<H, W> =
  "workflowStatus" extends Reachable<H>
    ? {
        /** The workflows of the session: what their `access` lets clients do. */
        readonly $workflows: "startWorkflow" extends Reachable<H> ? WorkflowClients<W> : WorkflowLooks<W>;
      }
    : unknown;

/** One function per agent: takes a key (1 to 256 bytes, not `.` or `..`), gives the session. */
export type Client<C extends { readonly agents: readonly AnyAgent[] }> = {
  readonly [D in C["agents"][number] as D["name"]]: (key: string) => Session<D>;
};

const timeoutRange: DurationRange = { minMs: 1, maxMs: 86_400_000 };
const timeoutDefault: Duration = "30s";
const clientNames: ReadonlySet<string> = new Set([
  "url",
  "namespace",
  "timeout",
  "retry",
  "headers",
  "fetch",
]);
const retryNames: ReadonlySet<string> = new Set(["attempts"]);
const callNames: ReadonlySet<string> = new Set(["id", "timeout", "signal", "headers"]);
const idempotencyKeyText = /^[\x21-\x7e]{1,256}$/;

/**
 * A client whose types come from a config: nothing of the server is bundled.
 *
 * ```ts
 * import type config from "./voda.config.ts";
 * const voda = createClient<typeof config>({ url: "http://127.0.0.1:4000" });
 * const count = await voda.counter("alice").add(2);
 * ```
 * Calls that fail with a retryable error are sent again, with full jitter and no sooner than `retryAfterMs`,
 * until their timeout or `retry.attempts`. A call that ran out of its time (`deadline_exceeded`) is not.
 * Answers are JSON: what a handler returns without a JSON form arrives changed, and nothing arrives as
 * `undefined`.
 * @throws TypeError or RangeError for a bad option
 */
export function createClient<C extends { readonly agents: readonly AnyAgent[] }>(
  options: ClientOptions,
): Client<C> {
  if (typeof options === "string") throw new TypeError("createClient takes an object: createClient({ url })");
  const endpoint = endpointOf(options);
  const timeoutMs = durationMs("timeout", options.timeout ?? timeoutDefault, timeoutRange);
  const settings: Settings = {
    id: undefined,
    signal: undefined,
    timeoutMs,
    headers: withHeaders(new Headers(), options.headers),
  };
  const agentOf = (name: string) => (key: string) => session(endpoint, name, key, settings);
  return properties(agentOf) as Client<C>;
}

function endpointOf(options: ClientOptions): Endpoint {
  refuseUnknown("client option", options, clientNames);
  refuseUnknown("retry option", options.retry ?? {}, retryNames);
  const namespace = options.namespace ?? defaultNamespace;
  const problem = identifierProblem("namespace", namespace);
  if (problem !== undefined) throw new TypeError(problem);
  const attempts = options.retry?.attempts;
  if (attempts !== undefined) checkAttempts("retry.attempts", attempts);
  return {
    base: `${baseOf(options.url)}${namespace === defaultNamespace ? "" : `/namespaces/${namespace}`}`,
    attemptsMax: attempts ?? Number.POSITIVE_INFINITY,
    // A browser's fetch must not be called as a method of something else.
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    hints: hintCache(),
    numbers: callNumbers(),
  };
}

function baseOf(url: string): string {
  const isPath = typeof url === "string" && url.startsWith("/");
  if (!isPath && !(URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)))
    throw new TypeError(`url of ${JSON.stringify(url)} is neither http://..., https://... nor a path`);
  return url.replace(/\/+$/, "");
}

/** Call options, checked. */
interface Settings {
  readonly id: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly headers: Headers;
}

function session(endpoint: Endpoint, agent: string, key: string, settings: Settings): object {
  const withOptions = (options: CallOptions): object =>
    session(endpoint, agent, key, changed(settings, options));
  const methodOf =
    (method: string, signal = settings.signal) =>
    async (...inputs: unknown[]): Promise<unknown> =>
      perform(
        endpoint,
        callOf(endpoint, `${agent}/${pathKey(key)}`, method, { ...settings, signal, inputs }),
      );
  return properties((name) => {
    if (name === "$with") return withOptions;
    return name === "$workflows"
      ? workflowClients((method, input, signal) => methodOf(method, both(settings.signal, signal))(input))
      : methodOf(name);
  });
}

const both = (one: AbortSignal | undefined, other: AbortSignal | undefined): AbortSignal | undefined =>
  one === undefined || other === undefined ? (other ?? one) : AbortSignal.any([one, other]);

function changed(settings: Settings, options: CallOptions): Settings {
  refuseUnknown("call option", options, callNames);
  const { id = settings.id, signal = settings.signal } = options;
  if (id !== undefined && !idempotencyKeyText.test(id))
    throw new TypeError(`id of ${JSON.stringify(id.slice(0, 80))} is not 1 to 256 visible ASCII characters`);
  const problem = signalProblem(signal);
  if (problem !== undefined) throw new TypeError(problem);
  const timeoutMs =
    options.timeout === undefined ? settings.timeoutMs : durationMs("timeout", options.timeout, timeoutRange);
  return { id, timeoutMs, signal, headers: withHeaders(settings.headers, options.headers) };
}

/**
 * @throws TypeError for a bad name or value, and for a header that says which call it is: the client writes
 * those
 */
function withHeaders(headers: Headers, more: Readonly<Record<string, string>> = {}): Headers {
  const all = new Headers(headers);
  for (const [name, value] of Object.entries(more)) all.set(name, value);
  const own = [names.idempotencyKey, names.call].find((name) => all.has(name));
  if (own !== undefined) throw new TypeError(`header ${own} is the client's own; use $with({ id })`);
  return all;
}

function pathKey(key: string): string {
  checkKey(key);
  if (key === "." || key === "..")
    throw badRequest(`key "${key}" cannot stand in a URL: clients remove it from the path`);
  return encodeURIComponent(key);
}

function callOf(
  endpoint: Endpoint,
  name: string,
  method: string,
  { inputs, ...settings }: Settings & { readonly inputs: readonly unknown[] },
): Call {
  return {
    ...settings,
    session: name,
    url: `${endpoint.base}/agents/${name}/${encodeURIComponent(method)}`,
    body: bodyOf(inputs),
  };
}

// Topics: agents whose sessions pass on what is published to the sessions that subscribed. All of it is
// state, turns and messages of the topic's own session, so once and in order hold as they do for those.
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { agent } from "./agent.ts";
import type { CalledAgent } from "./agent-types.ts";
import type { Ctx } from "./context.ts";
import { agentParts, type TypedAgent } from "./definition.ts";
import { VodaError } from "./error.ts";
import type { HandlerOptions, Internal, Reached } from "./handler.ts";
import type { Json } from "./json.ts";
import { nameProblem } from "./name.ts";
import { s } from "./schema.ts";
import { type Published, subscriberOf, topicMark } from "./subscription.ts";

/** Bytes of one message as JSON: a page of them, each with a key, fits into one turn (`turnBytesMax`). */
export const topicMessageBytesMax = 15_000;
/**
 * Bytes of the messages of one session that are not passed on yet: each is in its outbox up to twice, and a
 * page must fit in beside them (`outboxBytesMax`).
 */
export const topicBacklogBytesMax = 262_144;
/** What a message counts beside its body. */
const headBytes = 512;
/** Subscribers that one turn sends to. */
const pageMax = 64;
const retryAfter = 1_000;

/** Options of a topic: those of its handler `publish`. */
export type TopicOptions = Pick<HandlerOptions, "input" | "access" | "description">;

/** The handlers of a topic. */
export interface TopicHandlers<I, O> {
  /** Passes the message on to all who have subscribed by now; returns how many they are. */
  readonly publish: ((ctx: never, message: I) => number) & Reached<O>;
  /** Who sends it hears what is published from now on, in its handler `.on(topic, ...)`. */
  readonly subscribe: ((ctx: never) => void) & Internal;
  /** The opposite. Who has not subscribed may send it too. */
  readonly unsubscribe: ((ctx: never) => void) & Internal;
  /** How many have subscribed. */
  readonly subscribers: (ctx: never) => number;
}

/** A topic: an agent, deployed as any other, each of whose sessions has subscribers of its own. */
export type Topic<N extends string, I, X, O = unknown> = TypedAgent<N, typeof fields, TopicHandlers<I, O>> &
  Published<X>;

/** Sessions of one agent. One that is gone costs its own pages, nobody else's. */
interface Page {
  readonly agent: string;
  /** With the number of the last message that is not for them. */
  readonly subscribers: readonly (readonly [key: string, since: number])[];
}

const fields = {
  /** Number of the last message. */
  published: s.register(0),
  backlogBytes: s.register(0),
  /** By number, as densely as may be. */
  pages: s.map<Page>(),
  /** By `agent/key`: the number of the page. */
  places: s.map<string>(),
};
type TopicCtx = Ctx<typeof fields>;

/** On its way to the subscribers. */
interface Passing {
  readonly n: number;
  readonly message: Json;
  readonly bytes: number;
  /** The page that is next. */
  readonly page: number;
}

/** What a session of a topic sends to itself: it takes that in its order. */
interface Steps {
  readonly pass: (ctx: never, passing: Passing) => void;
  readonly page: (ctx: never, passing: Passing) => void;
}

/** `topic` */
export interface TopicFunction {
  /**
   * Defines a topic. An agent hears it with `.on(news, (ctx, message) => ...)`, after
   * `ctx.send(news, key).subscribe()`.
   *
   * ```ts
   * export const news = topic("news", { input: v.object({ title: v.string() }) });
   * ```
   * @param name as that of an agent, at most 60 characters
   * @param options `input`: the schema of messages; `access: "internal"`: only agents publish
   * @throws TypeError for a bad name or option
   */
  <const N extends string, const O extends TopicOptions & { readonly input: StandardSchemaV1 }>(
    name: N,
    options: O,
  ): Topic<N, StandardSchemaV1.InferInput<O["input"]>, StandardSchemaV1.InferOutput<O["input"]>, O>;
  /** Without a schema messages are unchecked: `topic<"news", News>("news")` says what they are. */
  <const N extends string, X = Json>(
    name: N,
    options?: TopicOptions & { readonly input?: undefined },
  ): Topic<N, X, X>;
}

/** Passes on what is published: see TopicFunction. */
export const topic = ((name: string, options: TopicOptions = {}): unknown => {
  const self = { name } as CalledAgent<Steps>;
  const method = subscriberOf(name);
  const problem = nameProblem(method);
  if (problem !== undefined) throw new TypeError(`topic ${name}: the handler of its subscribers: ${problem}`);
  const internal = { access: "internal" } as const;
  const made = agent(name, fields)
    .readonly({ subscribers: (ctx) => ctx.state.places.size })
    .handler(
      "publish",
      { ...options, input: options.input as StandardSchemaV1<unknown, Json> },
      (ctx, message) => publish(ctx, self, message),
    )
    .handler("subscribe", internal, subscribe)
    .handler("unsubscribe", internal, unsubscribe)
    .handler("pass", internal, (ctx, passing: Passing) => pass(ctx, self, passing))
    .handler("page", internal, (ctx, passing: Passing) => sendPage(ctx, method, passing));
  return Object.freeze({ name, [agentParts]: made[agentParts], [topicMark]: true });
}) as TopicFunction;

const encoder = new TextEncoder();

function publish(ctx: TopicCtx, self: CalledAgent<Steps>, message: Json): number {
  const { state } = ctx;
  const size = encoder.encode(JSON.stringify(message)).length;
  if (size > topicMessageBytesMax)
    throw refusal(
      "too_large",
      `a message of ${size} bytes exceeds topicMessageBytesMax ${topicMessageBytesMax}`,
    );
  if (state.places.size === 0) return 0;
  const bytes = size + headBytes;
  if (state.backlogBytes + bytes > topicBacklogBytesMax)
    throw refusal(
      "queue_full",
      `${state.backlogBytes} bytes of messages are not passed on yet, with topicBacklogBytesMax ${topicBacklogBytesMax}`,
    );
  state.published += 1;
  state.backlogBytes += bytes;
  ctx.send(self, ctx.key).pass({ n: state.published, message, bytes, page: 0 });
  return state.places.size;
}

/** A page that fails for good takes no other one with it: it is a message of its own. */
function pass(ctx: TopicCtx, self: CalledAgent<Steps>, passing: Passing): void {
  const { state, key } = ctx;
  const page = pageFrom(state.pages, passing.page);
  if (page === undefined) {
    state.backlogBytes -= passing.bytes;
    return;
  }
  ctx.send(self, key).page({ ...passing, page });
  ctx.send(self, key).pass({ ...passing, page: page + 1 });
}

function sendPage(ctx: TopicCtx, method: string, { n, message, page }: Passing): void {
  const found = ctx.state.pages.get(String(page));
  if (found === undefined) return;
  const to = { name: found.agent } as CalledAgent<
    Readonly<Record<string, (ctx: never, message: Json) => void>>
  >;
  for (const [key, since] of found.subscribers) if (since < n) ctx.send(to, key)[method]?.(message);
}

/** A subscriber keeps its page: on another one a message could reach it before an earlier one. */
function subscribe(ctx: TopicCtx): void {
  const { pages, places, published } = ctx.state;
  const { name, key } = callerOf(ctx);
  if (places.has(`${name}/${key}`)) return;
  const page = pageWithRoom(pages, name);
  pages.update(page, (before) => ({
    agent: name,
    subscribers: [...(before?.subscribers ?? []), [key, published]],
  }));
  places.set(`${name}/${key}`, page);
}

function unsubscribe(ctx: TopicCtx): void {
  const { pages, places } = ctx.state;
  const { name, key } = callerOf(ctx);
  const page = places.get(`${name}/${key}`);
  if (page === undefined) return;
  places.delete(`${name}/${key}`);
  const subscribers = (pages.get(page)?.subscribers ?? []).filter(([one]) => one !== key);
  if (subscribers.length === 0) pages.delete(page);
  else pages.set(page, { agent: name, subscribers });
}

function callerOf({ caller }: TopicCtx): { readonly name: string; readonly key: string } {
  if (caller.agent !== undefined) return caller.agent;
  throw new VodaError("invalid_argument", "only sessions of agents subscribe", { reason: "bad_request" });
}

function pageWithRoom(pages: TopicCtx["state"]["pages"], agentName: string): string {
  for (const [number, { agent: name, subscribers }] of pages)
    if (name === agentName && subscribers.length < pageMax) return number;
  let free = 0;
  while (pages.has(String(free))) free += 1;
  return String(free);
}

/** The first page from that number on. */
function pageFrom(pages: TopicCtx["state"]["pages"], number: number): number | undefined {
  const numbers = Array.from(pages.keys(), Number).filter((one) => one >= number);
  return numbers.length === 0 ? undefined : Math.min(...numbers);
}

const refusal = (reason: "too_large" | "queue_full", message: string): VodaError =>
  new VodaError("resource_exhausted", message, { reason, ...(reason === "queue_full" && { retryAfter }) });

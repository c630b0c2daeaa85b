// Topics: agents whose sessions pass on what is published to the sessions that subscribed. All of it is
// state, turns and messages of the topic's own session, so once and in order hold as they do for those.
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { identifierProblem } from "@voda/proto/name";
import { agent } from "./agent.ts";
import type { CalledAgent, Internal } from "./agent-types.ts";
import type { Ctx } from "./context.ts";
import { agentParts, type TypedAgent } from "./definition.ts";
import { VodaError } from "./error.ts";
import type { HandlerOptions, Reached } from "./handler.ts";
import type { IfJson, Json } from "./json.ts";
import { type NoSuchOption, refuseUnknown } from "./options.ts";
import { s } from "./schema.ts";
import { badRequest } from "./session.ts";
import { type Published, subscriberOf, topicMark } from "./subscription.ts";
import { keptProblem } from "./workflow-json.ts";

/** Bytes of one message as JSON: a page of them, each with a key, fits into one turn (`turnBytesMax`). */
export const topicMessageBytesMax = 15_000;
/** Bytes of the messages of one session that are not passed on yet, all in its state. */
export const topicBacklogBytesMax = 262_144;
/** What a message counts beside its body. */
const headBytes = 512;
/** Subscribers that one turn sends to. */
const pageMax = 64;
const retryAfter = 1_000;
/** While something is not passed on, somebody looks: what stopped goes on then. */
const look = { every: "1s", id: "topic" } as const;

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

/**
 * A place is that of another one once it is the last and free: messages from before are not for that one.
 */
type Subscriber = readonly [key: string, since: number, place: number];

/** Sessions of one agent. One that is gone costs its own pages, nobody else's. */
interface Page {
  readonly agent: string;
  /** In the order of their places, with the number of the last message that is not for them. */
  readonly subscribers: readonly Subscriber[];
}

/** A message that is not passed on yet. */
interface Waiting {
  readonly message: Json;
  readonly bytes: number;
}

/** How far the first of them is. */
interface Place {
  readonly page: number;
  /** Place of the last subscriber of the page that has it: whether or not it has left since. */
  readonly after?: number;
  /** The page is to be sent, by a turn of its own. */
  readonly isUnderWay: boolean;
}
const firstPlace: Place = { page: 0, isUnderWay: false };

const fields = {
  /** Number of the last message. */
  published: s.register(0),
  /** That of the last one that was passed on. */
  passed: s.register(0),
  /** By number: those between the two. */
  backlog: s.map<Waiting>(),
  backlogBytes: s.register(0),
  place: s.register<Place>(firstPlace),
  /** Steps of an earlier run do nothing: one that was given up may be sent again at any time. */
  run: s.register(0),
  /** By number, as densely as may be. */
  pages: s.map<Page>(),
  /** By `agent/key`: the number of the page. */
  places: s.map<string>(),
};
type TopicCtx = Ctx<typeof fields>;

/** A message on its way to one page. */
interface Passing {
  readonly n: number;
  readonly message: Json;
  readonly page: number;
  /** As in its place. */
  readonly after?: number | undefined;
}

/** What a session of a topic sends to itself: it takes that in its order. */
interface Steps {
  readonly step: (ctx: never, run: number) => void;
  readonly page: (ctx: never, passing: Passing) => void;
  readonly look: (ctx: never) => void;
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
   * Without a schema messages are unchecked: `topic<"news", News>("news")` says what they are.
   * @param name as that of an agent, at most 60 characters
   * @param options `input`: the schema of messages; `access: "internal"`: only agents publish
   * @throws TypeError for a bad name or option
   */
  <const N extends string, X = Json>(
    name: IfJson<X, N>,
    options: Unchecked & { readonly access: "internal" },
  ): Topic<N, X, X, { readonly access: "internal" }>;
  <const N extends string, X = Json>(name: IfJson<X, N>, options?: Unchecked): Topic<N, X, X>;
  /** With a schema. What else is refused is told of this one, the last. */
  <const N extends string, const O extends TopicOptions>(
    name: IfJson<In<O> | Out<O>, N>,
    options: O & KnownOnly<O> & Checked<O>,
  ): Topic<N, In<O>, Out<O>, O>;
}

type In<O extends TopicOptions> = StandardSchemaV1.InferInput<NonNullable<O["input"]>>;
type Out<O extends TopicOptions> = StandardSchemaV1.InferOutput<NonNullable<O["input"]>>;
type Unchecked = TopicOptions & { readonly input?: undefined };
/** Options that may have a schema say nothing of messages. */
type Checked<O extends TopicOptions> = undefined extends O["input"]
  ? { readonly input: StandardSchemaV1 }
  : unknown;
type KnownOnly<O> = { readonly [K in Exclude<keyof O, keyof TopicOptions>]: NoSuchOption };

const publishes = "Passes a message on to all who have subscribed. Gives how many they are.";
const optionNames: ReadonlySet<string> = new Set(["input", "access", "description"]);

/** Passes on what is published: see TopicFunction. */
export const topic = ((name: string, given?: TopicOptions): unknown => {
  const options = given === undefined ? {} : given;
  const problem = identifierProblem("topic", name);
  if (problem !== undefined) throw new TypeError(problem);
  const method = subscriberOf(name);
  refuseUnknown(`topic ${name}: option`, options, optionNames);
  const self = { name } as CalledAgent<Steps>;
  const internal = { access: "internal" } as const;
  const made = agent(name, fields)
    .handler(
      "subscribers",
      { readonly: true, description: "How many have subscribed." },
      (ctx) => ctx.state.places.size,
    )
    .handler(
      "publish",
      {
        description: publishes,
        ...options,
        input: options.input as StandardSchemaV1<unknown, Json | undefined>,
      },
      (ctx, message) => publish(ctx, self, message),
    )
    .handler("subscribe", { ...internal, description: "Whose session sends it hears the topic." }, subscribe)
    .handler("unsubscribe", { ...internal, description: "The opposite of subscribe." }, unsubscribe)
    .handler("step", internal, (ctx, run: number) => {
      refuseOthers(ctx, name);
      if (run === ctx.state.run) pass(ctx, self);
    })
    .handler("look", internal, (ctx) => {
      refuseOthers(ctx, name);
      lookAfter(ctx, self);
    })
    .handler("page", internal, (ctx, passing: Passing) => {
      refuseOthers(ctx, name);
      sendPage(ctx, method, passing);
    });
  return Object.freeze({ name, [agentParts]: made[agentParts], [topicMark]: true });
}) as TopicFunction;

const encoder = new TextEncoder();

function publish(ctx: TopicCtx, self: CalledAgent<Steps>, message: Json | undefined): number {
  const { state } = ctx;
  const what = `publish of ${self.name}/${ctx.key}`;
  if (message === undefined) throw badRequest(`${what} needs a message`);
  const problem = keptProblem("the message", message);
  if (problem !== undefined) throw badRequest(`${what}: ${problem}`);
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
  if (state.published === state.passed) {
    ctx.send(self, ctx.key).step(state.run);
    ctx.schedule(self, ctx.key, look).look();
  }
  state.published += 1;
  state.backlogBytes += bytes;
  state.backlog.set(String(state.published), { message, bytes });
  return state.places.size;
}

/**
 * Steps that have come to nothing begin again, behind what is still on its way: a page that is must not be
 * taken for one that has come to nothing too.
 */
function lookAfter(ctx: TopicCtx, self: CalledAgent<Steps>): void {
  const { state, key } = ctx;
  if (state.passed === state.published) return;
  whileRoom(() => {
    ctx.send(self, key).step(state.run + 1);
    state.run += 1;
  });
}

/**
 * The first message goes on to its next page. A page that fails for good takes no other one with it: it is a
 * message of its own. What has no room in the outbox goes on with the next look.
 */
function pass(ctx: TopicCtx, self: CalledAgent<Steps>): void {
  const { state, key } = ctx;
  const { page, isUnderWay } = state.place;
  // its letter was before this one: its turn has come to nothing
  if (isUnderWay) state.place = placeOf(page + 1);
  const next = nextPage(ctx);
  if (next === undefined) return;
  whileRoom(() => {
    ctx.send(self, key).page(next);
    state.place = placeOf(next.page, next.after, true);
    ctx.send(self, key).step(state.run);
  });
}

/** `undefined`: all is passed on. */
function nextPage(ctx: TopicCtx): Passing | undefined {
  const { state } = ctx;
  for (let n = state.passed + 1; n <= state.published; n += 1) {
    const { message, bytes } = state.backlog.get(String(n)) as Waiting;
    const page = pageFrom(state.pages, state.place.page);
    if (page !== undefined)
      return { n, message, page, after: page === state.place.page ? state.place.after : undefined };
    state.passed = n;
    state.backlog.delete(String(n));
    state.backlogBytes -= bytes;
    state.place = firstPlace;
  }
  ctx.cancel(look.id);
  return undefined;
}

/** One that was given up, and is sent again, goes to the whole rest of its page or fails again. */
function sendPage(ctx: TopicCtx, method: string, { n, message, page, after }: Passing): void {
  const { state } = ctx;
  const isNext = n === state.passed + 1 && page === state.place.page && state.place.isUnderWay;
  const done = isNext ? state.place.after : after;
  let last = done;
  const send = (): void => {
    const { agent: name = "", subscribers = [] } = state.pages.get(String(page)) ?? {};
    for (const [key, since, place] of subscribers) {
      if (since >= n || place <= (done ?? -1)) continue;
      sendTo(ctx, { name, key, method, message });
      last = place;
    }
  };
  if (!isNext) return send();
  if (whileRoom(send)) state.place = placeOf(page + 1);
  else {
    state.place = placeOf(page, last);
    // without any room the step behind this one would find none either
    if (last === done) state.run += 1;
  }
}

const placeOf = (page: number, after?: number, isUnderWay = false): Place => ({
  page,
  isUnderWay,
  ...(after !== undefined && { after }),
});

interface Onward {
  readonly name: string;
  readonly key: string;
  readonly method: string;
  readonly message: Json;
}

function sendTo(ctx: TopicCtx, { name, key, method, message }: Onward): void {
  const to = { name } as CalledAgent<Readonly<Record<string, (ctx: never, message: Json) => void>>>;
  const take = ctx.send(to, key)[method];
  if (take === undefined) throw new TypeError(`ctx.send to ${name} has no ${method}`);
  take(message);
}

/** False when the outbox is full: what was sent before leaves with the turn. */
function whileRoom(send: () => void): boolean {
  try {
    send();
    return true;
  } catch (error) {
    if (VodaError.is(error) && error.reason === "outbox_full") return false;
    throw error;
  }
}

/** A subscriber keeps its page: on another one a message could reach it before an earlier one. */
function subscribe(ctx: TopicCtx): void {
  const { pages, places, published } = ctx.state;
  const { name, key } = callerOf(ctx);
  if (places.has(`${name}/${key}`)) return;
  const page = pageWithRoom(pages, name);
  pages.update(page, (before) => {
    const subscribers = before?.subscribers ?? [];
    const [, , last = -1] = subscribers.at(-1) ?? [];
    return { agent: name, subscribers: [...subscribers, [key, published, last + 1]] };
  });
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

/** Steps say what is to be passed on, and are believed: only the topic itself sends them. */
function refuseOthers({ caller: { agent: from }, key }: TopicCtx, name: string): void {
  if (from?.name === name && from.key === key) return;
  throw new VodaError("permission_denied", "only the topic itself sends this to itself", {
    reason: "bad_request",
  });
}

function callerOf({ caller }: TopicCtx): { readonly name: string; readonly key: string } {
  if (caller.agent !== undefined) return caller.agent;
  throw badRequest("only sessions of agents subscribe");
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

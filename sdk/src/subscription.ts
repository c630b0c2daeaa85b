// What an agent and a topic know of each other: which handler of the agent the topic's messages go to.

/** Marks topics. Registered, because a bundle may hold several copies of this package. */
export const topicMark: unique symbol = Symbol.for("voda.topic");

declare const published: unique symbol;

/** A topic as far as its subscribers see it. */
export interface Published<X> {
  readonly name: string;
  readonly [topicMark]: true;
  readonly [published]?: X;
}

/** Topic names have no underscore, so no two share a handler. */
export const subscriberOf = (topic: string): string => `on_${topic.replaceAll("-", "_")}`;

/** Whether it was made by `topic(...)`, of this or another copy of this package. */
export function isTopic(value: unknown): value is Published<unknown> {
  return typeof value === "object" && value !== null && topicMark in value;
}

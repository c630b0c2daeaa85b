// Agents as types alone, for those who call them.

/** Where the types of an agent stand; nothing is there at run time. */
export declare const agentTypes: unique symbol;

/** An agent as far as its callers see it. */
export interface CalledAgent<H extends object = object> {
  readonly name: string;
  readonly [agentTypes]?: { readonly handlers: H };
}

declare const internal: unique symbol;

/** Marks the type of a handler that clients cannot reach. */
export interface Internal {
  readonly [internal]: true;
}

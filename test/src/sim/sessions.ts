// The two sessions of a simulated mesh: clients call the one, and some of its handlers ask the other.
import { type SessionName, sessionToken } from "@voda/proto/session";
import type { SimStore } from "./store.ts";

const mainName = { namespace: "default", agent: "simulated", key: "session" };
const askedName = { namespace: "default", agent: "simulated", key: "asked" };

/** An agent that is not deployed: what is sent to it is given up at once, beside all other letters. */
export const nobody = "nobody";

export const mainSession = { name: mainName, token: sessionToken(mainName) };
export const askedSession = { name: askedName, token: sessionToken(askedName) };

export const isAsked = ({ key }: SessionName): boolean => key === askedName.key;

/** Each session has a lane of its own, at one server. */
export interface Stores {
  readonly main: SimStore;
  readonly asked: SimStore;
}

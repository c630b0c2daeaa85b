// Tokens of sessions that are called again and again: each is hashed once while it is among the recent.
import { type SessionName, type SessionToken, sessionToken } from "@voda/proto/session";
import { recent } from "../recent.ts";

const namesMax = 1_024;

/** Names of namespaces and agents hold no NUL; a key may. */
const recentTokens = recent(namesMax, (text): SessionToken => {
  const [namespace = "", agent = "", ...key] = text.split("\0");
  return sessionToken({ namespace, agent, key: key.join("\0") });
});

/** What `sessionToken` gives. */
export const tokenOf = ({ namespace, agent, key }: SessionName): SessionToken =>
  recentTokens(`${namespace}\0${agent}\0${key}`);

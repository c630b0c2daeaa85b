// Sessions whose log lacks what had been acknowledged, as the control plane of the running mesh finds them.

import type { LostSession } from "@voda/proto/api";
import { defaultNamespace } from "@voda/proto/name";
import { wordsOf } from "@voda/stdx";
import type { Api } from "../api.ts";
import type { Finding } from "./finding.ts";

/** Named in the finding; the rest is counted. */
const namedMax = 10;

/** What is left of the session, and what was there. */
export function lostWords({ acknowledgedPosition, acknowledgedSequence, lastSequence }: LostSession): string {
  const left = lastSequence === 0n ? "nothing" : `its record at sequence ${lastSequence}`;
  return `${left} (position ${acknowledgedPosition}, sequence ${acknowledgedSequence} was acknowledged)`;
}

/** @param sessions of the running mesh; undefined: none runs, and nobody can be asked */
export async function lostFinding(
  sessions: Pick<Api["sessions"], "listLostSessions"> | undefined,
): Promise<Finding> {
  const name = "sessions";
  if (sessions === undefined) return { name, ok: true, found: "not looked at: the mesh does not run" };
  const lost: LostSession[] = [];
  try {
    for (let pageToken = "", isLast = false; !isLast; ) {
      const page = await sessions.listLostSessions({ pageToken });
      lost.push(...page.sessions);
      pageToken = page.nextPageToken;
      isLast = pageToken === "";
    }
  } catch (error) {
    const found = `cannot be looked at: ${wordsOf(error)}`;
    return { name, ok: false, found, fix: "look whether `npx voda ps` answers" };
  }
  if (lost.length === 0) return { name, ok: true, found: "none lost acknowledged records" };
  const named = lost.slice(0, namedMax).map((one) => `${textOf(one)} has ${lostWords(one)}`);
  const more = lost.length > namedMax ? `, and ${lost.length - namedMax} more` : "";
  return {
    name,
    ok: false,
    found: `${lost.length} lost acknowledged records: ${named.join("; ")}${more}`,
    fix:
      "put back a copy of the folder nats in the data directory if there is one, with the mesh stopped; " +
      "or let each go on with `npx voda accept-loss AGENT/KEY`",
  };
}

/** As `accept-loss` takes it. */
function textOf({ session }: LostSession): string {
  if (session === undefined) return "a session without a name";
  const { namespace, agent, key } = session;
  return namespace === defaultNamespace ? `${agent}/${key}` : `${namespace}:${agent}/${key}`;
}

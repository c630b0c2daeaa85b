// Sessions whose log lacks what had been acknowledged, as the control plane of the running mesh finds them.
import { Code, ConnectError } from "@connectrpc/connect";
import type { LostSession } from "@voda/proto/api";
import { defaultNamespace } from "@voda/proto/name";
import { wordsOf } from "@voda/stdx";
import type { Api } from "../api.ts";
import type { Finding } from "./finding.ts";

/** Named in the finding; the rest is counted. */
const namedMax = 10;
/** Until a mesh has answered that it is there; what it then looks for may take longer. */
const reachMsMax = 3_000;

/** Of the mesh: who says that it is there, and who has looked for such sessions. */
export interface RunningMesh {
  readonly nodes: Pick<Api["nodes"], "listNodes">;
  readonly sessions: Pick<Api["sessions"], "listLostSessions">;
}

/** What is left of the session, and what was there. */
export function lostWords({ acknowledgedPosition, acknowledgedSequence, lastSequence }: LostSession): string {
  const left = lastSequence === 0n ? "nothing" : `its record at sequence ${lastSequence}`;
  return `${left} (position ${acknowledgedPosition}, sequence ${acknowledgedSequence} was acknowledged)`;
}

/** @param mesh undefined: none runs, and nobody can be asked */
export async function lostFinding(mesh: RunningMesh | undefined): Promise<Finding> {
  const name = "sessions";
  if (mesh === undefined) return { name, ok: true, found: "not looked at: the mesh does not run" };
  const { nodes, sessions } = mesh;
  const lost: LostSession[] = [];
  try {
    await nodes.listNodes({}, { timeoutMs: reachMsMax });
    for (let pageToken = "", isLast = false; !isLast; ) {
      const page = await sessions.listLostSessions({ pageToken });
      lost.push(...page.sessions);
      pageToken = page.nextPageToken;
      isLast = pageToken === "";
    }
  } catch (error) {
    const found = `cannot be looked at: ${silenceOf(error) ?? wordsOf(error)}`;
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

const silenceOf = (error: unknown): string | undefined =>
  ConnectError.from(error).code === Code.DeadlineExceeded
    ? `the mesh of this folder takes connections, and does not answer within ${reachMsMax / 1_000} s`
    : undefined;

/** As `accept-loss` takes it. */
function textOf({ session }: LostSession): string {
  if (session === undefined) return "a session without a name";
  const { namespace, agent, key } = session;
  return namespace === defaultNamespace ? `${agent}/${key}` : `${namespace}:${agent}/${key}`;
}

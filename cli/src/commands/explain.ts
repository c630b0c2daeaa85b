// `voda explain placement`: why a session is on its node, or on none.
import { toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type PlacementDecision, PlacementDecisionSchema, SessionStatus } from "@voda/proto/api";
import type { SessionName } from "@voda/proto/session";
import type { Command } from "commander";
import { type Api, connectApi } from "../api.ts";
import { type ClientFlags, withClientFlags } from "../options.ts";
import { type Output, table } from "../print.ts";
import { parseSession } from "../session-argument.ts";
import { requireSession } from "./agents.ts";
import { statusWord } from "./session-cells.ts";

/** `voda explain placement`: the last decision that the control plane remembers for a session. */
export function addExplain(program: Command, { out: print }: Output): void {
  const explain = program.command("explain").description("explain a decision of the control plane");
  const command = explain
    .command("placement")
    .description("why a session is on its node, or was refused")
    .argument("<session>", "AGENT/KEY");
  withClientFlags(command).action(async (text: string, flags: ClientFlags) => {
    const session = parseSession(text, flags.namespace);
    const api = connectApi(flags.url);
    const { decision } = await api.placement.explainPlacement({ session }).catch(async (error: unknown) => {
      if (error instanceof ConnectError && error.code === Code.NotFound) await requireSession(api, session);
      throw error;
    });
    if (decision === undefined) throw new Error("the control plane's answer to explain names no decision");
    // The decision may be old: by now the session may sleep, or be elsewhere.
    const status = await statusNow(api, session);
    if (flags.json === true)
      print(JSON.stringify({ ...(toJson(PlacementDecisionSchema, decision) as object), status }));
    else for (const line of explanation(decision, status)) print(line);
  });
}

/** `unknown` when the log of sessions cannot be read: what was decided can be told all the same. */
async function statusNow(api: Api, session: SessionName): Promise<string> {
  try {
    return statusWord(
      (await api.sessions.getSession({ session })).session?.status ?? SessionStatus.UNSPECIFIED,
    );
  } catch (error) {
    if (error instanceof ConnectError) return statusWord(SessionStatus.UNSPECIFIED);
    throw error;
  }
}

/**
 * `status`: what the session is now, which the decision does not tell: it is of the moment in which it was
 * made. Of the candidates the best few are kept, of other nodes how many failed by which rule.
 */
export function explanation(decision: PlacementDecision, status: string): string[] {
  const { session, decidedMs, policy, message, node, nodes, devices, candidates } = decision;
  const at = new Date(Number(decidedMs)).toISOString();
  const lines = [
    `${session?.agent}/${session?.key} (now ${status}); last decision, by ${policy} at ${at}: ${message}`,
  ];
  for (const { uuid, whole, milli, memoryMib } of devices)
    lines.push(`  ${uuid}: ${whole ? "all of it" : `${milli / 1000} of it, ${memoryMib} MiB`}`);
  const failed = Object.entries(decision.failed).map(([constraint, count]) => `${constraint}: ${count}`);
  if (node !== "")
    lines.push(`nodes looked at: ${nodes}; did not fit: ${failed.length === 0 ? "none" : failed.join(", ")}`);
  if (candidates.length === 0) return lines;
  // A policy may have several scores, compared in this order.
  const rows = candidates.map((one) => [
    one.node,
    one.score.map((value) => Number(value.toFixed(3))).join("  "),
  ]);
  return [...lines, table(["CANDIDATE", "SCORE"], rows), scoreWords(policy)];
}

/** Scores of different policies have different units: only the one that is used by itself is spelt out. */
function scoreWords(policy: string): string {
  const what =
    policy === "bpf"
      ? "hundredths of a GPU that the placement takes from what stays free"
      : `as ${policy} counts`;
  return `the least score wins: ${what}`;
}

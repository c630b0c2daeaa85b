// `voda explain placement`: why a session is on its node, or on none.
import { toJson } from "@bufbuild/protobuf";
import { type PlacementDecision, PlacementDecisionSchema } from "@voda/proto/api";
import type { Command } from "commander";
import { connectApi } from "../api.ts";
import { type ClientFlags, withClientFlags } from "../options.ts";
import { type Print, table } from "../print.ts";
import { parseSession } from "../session-argument.ts";

export function addExplain(program: Command, print: Print): void {
  const explain = program.command("explain").description("explain a decision of the control plane");
  const command = explain
    .command("placement")
    .description("why a session is on its node, or was refused")
    .argument("<session>", "AGENT/KEY");
  withClientFlags(command).action(async (text: string, flags: ClientFlags) => {
    const session = parseSession(text, flags.namespace);
    const { decision } = await connectApi(flags.url).placement.explainPlacement({ session });
    if (decision === undefined) throw new Error("the control plane's answer to explain names no decision");
    if (flags.json === true) print(JSON.stringify(toJson(PlacementDecisionSchema, decision)));
    else for (const line of explanation(decision)) print(line);
  });
}

export function explanation(decision: PlacementDecision): string[] {
  const { session, decidedMs, policy, message, devices, candidates } = decision;
  const at = new Date(Number(decidedMs)).toISOString();
  const lines = [`${session?.agent}/${session?.key}: ${message}, decided by ${policy} at ${at}`];
  for (const { uuid, whole, milli, memoryMib } of devices)
    lines.push(`  ${uuid}: ${whole ? "all of it" : `${milli / 1000} of it, ${memoryMib} MiB`}`);
  const failed = Object.entries(decision.failed).map(([constraint, count]) => `${constraint}: ${count}`);
  lines.push(`${decision.nodes} nodes looked at; failed: ${failed.length === 0 ? "none" : failed.join(", ")}`);
  if (candidates.length > 0)
    lines.push(
      table(
        ["CANDIDATE", "SCORE"],
        candidates.map(({ node, score }) => [node, score.map((one) => Number(one.toFixed(3))).join(" ")]),
      ),
    );
  return lines;
}

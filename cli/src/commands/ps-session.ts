// `voda ps AGENT/KEY`: what one session waits for.
import { toJson } from "@bufbuild/protobuf";
import {
  type DescribeSessionResponse,
  DescribeSessionResponseSchema,
  SessionStatus,
  type SessionWorkflows,
  type Waits,
} from "@voda/proto/api";
import { defaultNamespace, type SessionName } from "@voda/proto/session";
import type { Api } from "../api.ts";
import { duration, type Print, table } from "../print.ts";
import { requireSession } from "./agents.ts";
import { sessionCells, sessionHead } from "./session-cells.ts";

/** A session that nobody has called may be a misspelt one: that of an agent that is not there is refused. */
export async function printSession(
  api: Api,
  name: SessionName,
  isJson: boolean,
  print: Print,
): Promise<void> {
  const described = await api.sessions.describeSession({ session: name });
  if (described.session?.status === SessionStatus.UNBORN) await requireSession(api, name);
  if (isJson) print(JSON.stringify(toJson(DescribeSessionResponseSchema, described)));
  else print(linesOf(name, described).join("\n"));
}

function linesOf(name: SessionName, { session, waits, wakesAtMs }: DescribeSessionResponse): string[] {
  const { status = SessionStatus.UNSPECIFIED, node = "", epoch = 0n } = session ?? {};
  const told = table(sessionHead, [[`${name.agent}/${name.key}`, ...sessionCells({ status, node, epoch })]]);
  if (waits === undefined) return [told, "", asleepWords(name, Number(wakesAtMs))];
  const { workflows } = waits;
  const live = workflows === undefined || workflows.live.length === 0 ? [] : ["", ...liveLines(workflows)];
  return [told, "", table(["WAITS FOR", "COUNT", "WHAT"], rowsOf(waits)), ...live];
}

/** What it holds is in its log alone: nobody reads it for a list. */
function asleepWords({ namespace, agent, key }: SessionName, wakesAtMs: number): string {
  const elsewhere = namespace === defaultNamespace ? "" : ` --namespace ${namespace}`;
  const wake = `\`npx voda wake ${agent}/${key}${elsewhere}\``;
  const more = `${wake} loads it, and then this names its letters, timers and workflows`;
  if (wakesAtMs === 0) return `nothing wakes it but a call or a message; ${more}`;
  const when = wakesAtMs === 1 ? "at once" : `at ${isoOf(wakesAtMs)}`;
  return `it is woken ${when}, for what it has sent, for a timer or for a workflow; ${more}`;
}

function rowsOf(waits: Waits): string[][] {
  const { nowMs, letters, oldestLetterMs, oldestLetterTarget: to, alone, timers, nextTimerMs } = waits;
  const oldest = `the oldest for ${span(nowMs - oldestLetterMs)}, to ${to?.agent}/${to?.key}`;
  const aloneWords = "sent to it: a node may have ended under them, so they run one by one";
  return [
    ["letters", String(letters), letters === 0 ? "-" : oldest],
    ...(alone === 0 ? [] : [["letters alone", String(alone), aloneWords]]),
    ["timers", String(timers), timers === 0 ? "-" : `the next ${dueWords(nextTimerMs, nowMs)}`],
    ...workflowRows(waits),
  ];
}

function workflowRows({ workflows, workflowsProblem, nextWorkflowMs, nowMs }: Waits): string[][] {
  if (workflowsProblem !== "") return [["workflows", "?", workflowsProblem]];
  if (workflows === undefined) return [];
  const { running, waiting, failed, done, cancelled } = workflows;
  const next = nextWorkflowMs === 0n ? "" : `, the next time ${dueWords(nextWorkflowMs, nowMs)}`;
  const ended = `ended: ${failed} failed, ${done} done, ${cancelled} cancelled`;
  return [
    ["workflows", String(running + waiting), `${running} running, ${waiting} waiting${next}; ${ended}`],
  ];
}

function liveLines({ live, running, waiting }: SessionWorkflows): string[] {
  const rows = live.map(({ id, workflow, phase, undoing, waitsFor }) => [
    id,
    workflow,
    undoing ? `${phase}, undoing` : phase,
    waitsFor.length === 0 ? "-" : waitsFor.join(", "),
  ]);
  const more = running + waiting - live.length;
  const rest = more === 0 ? [] : [`and ${more} more`];
  return [table(["WORKFLOW", "NAME", "PHASE", "WAITS FOR"], rows), ...rest];
}

const isoOf = (ms: number): string => new Date(ms).toISOString();

function dueWords(dueMs: bigint, nowMs: bigint): string {
  const when = dueMs <= nowMs ? "is due" : `in ${span(dueMs - nowMs)}`;
  return `${when} (${isoOf(Number(dueMs))})`;
}

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
] as const;

/** In the largest unit of which there are two. */
function span(ms: bigint): string {
  const count = Math.max(0, Number(ms));
  const [unit, size] = units.find(([, one]) => count >= 2 * one) ?? [];
  return size === undefined ? duration(count) : `${Math.floor(count / size)} ${unit}`;
}

// What a session in memory waits for, as the control plane hands it on to people.
import { create, fromJsonString } from "@bufbuild/protobuf";
import { type SessionWorkflows, SessionWorkflowsSchema, type Waits, WaitsSchema } from "@voda/proto/api";
import type { SessionName } from "@voda/proto/session";
import { wordsOf } from "@voda/stdx";
import type { Answer } from "../call/index.ts";

/** What its node knows of it; times are the store's. */
export interface DescribedSession {
  readonly letters: number;
  readonly oldest: { readonly agent: string; readonly key: string; readonly atMs: number } | undefined;
  readonly alone: number;
  readonly timers: number;
  readonly nextTimerMs: number | undefined;
  readonly nextWorkflowMs: number | undefined;
  /** What its thread says; absent of an agent without workflows. */
  readonly workflows?: Answer;
}

/** What a thread says of workflows is as long as its bounds of them allow; no message of ours is longer. */
const workflowsBytesMax = 256 * 1_024;

/** As it is told to people. `nowMs`: by the clock of the store, as all times in it. */
export function waitsOf(described: DescribedSession, namespace: string, nowMs: number): Waits {
  const { letters, oldest, alone, timers, nextTimerMs, nextWorkflowMs, workflows } = described;
  return create(WaitsSchema, {
    nowMs: bigMs(nowMs),
    letters,
    oldestLetterMs: bigMs(oldest?.atMs),
    ...(oldest && { oldestLetterTarget: targetOf(oldest, namespace) }),
    alone,
    timers,
    nextTimerMs: bigMs(nextTimerMs),
    nextWorkflowMs: bigMs(nextWorkflowMs),
    ...(workflows && workflowsOf(workflows)),
  });
}

const bigMs = (ms = 0): bigint => BigInt(Math.round(ms));
const targetOf = ({ agent, key }: Omit<SessionName, "namespace">, namespace: string): SessionName => ({
  namespace,
  agent,
  key,
});

/** A thread may say anything. */
function workflowsOf(answer: Answer): { workflows: SessionWorkflows } | { workflowsProblem: string } {
  if (!answer.ok) return { workflowsProblem: answer.failure.message };
  const { length } = answer.body;
  if (length > workflowsBytesMax)
    return { workflowsProblem: `its thread told ${length} bytes of them, more than ${workflowsBytesMax}` };
  try {
    const json = new TextDecoder().decode(answer.body);
    return { workflows: fromJsonString(SessionWorkflowsSchema, json, { ignoreUnknownFields: true }) };
  } catch (error) {
    return { workflowsProblem: wordsOf(error) };
  }
}

// What agents log, kept for the test to read.
import type { LogLevel, LogLine } from "@voda/proto/log-line";
import type { AgentLog, Speaker } from "../worker/log.ts";
import { currentOrigin } from "../worker/origin.ts";

/** Lines that are kept; the oldest go first. */
export const logLinesMax = 10_000;

export interface LogBook extends Pick<AgentLog, "say" | "print" | "settle"> {
  readonly lines: readonly LogLine[];
}

export function createLogBook(): LogBook {
  const lines: LogLine[] = [];
  const write = (level: LogLevel, message: string, speaker: Speaker, fields: object): void => {
    const { agent, key, method, request } = speaker;
    lines.push({
      level,
      message,
      ...(agent !== undefined && { agent }),
      ...(key !== undefined && { key }),
      ...(method !== undefined && { method }),
      ...(request !== undefined && { request }),
      fields,
    });
    if (lines.length > logLinesMax) lines.shift();
  };
  const here = (): Speaker => currentOrigin() ?? {};
  return {
    lines,
    say: (level, message, facts = {}, speaker = here()) => write(level, message, speaker, known(facts)),
    print: (level, message, speaker = here(), fields = {}) => write(level, message, speaker, fields),
    settle: () => undefined,
  };
}

/** Without what nobody knows here: bundles say where in the code, and there is none. */
const known = (fields: object): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

// What agents say, as lines of the node's log: each with whose it is, so many in a second and no more.
import type { Logger } from "voda/definition";
import type { FromWorker, LogEntry, LogLevel } from "../threads/index.ts";
import { currentOrigin, type Origin } from "./origin.ts";
import { textOf } from "./thrown.ts";

/** A message of an agent's log, in characters; the rest is cut. Its fields may have as many again. */
export const logCharsMax = 8_192;
/**
 * Lines of one agent in one second: a loop that prints fills neither the node's log nor the ring that its
 * neighbours answer by.
 */
export const logLinesPerSecondMax = 500;
const windowMs = 1_000;

/** Whose line it is: known by the call that runs, else as far as the one who speaks knows. */
export type Speaker = Partial<Origin>;

export interface AgentLog {
  /**
   * Never throws. `facts` are the node's own words, `fields` the agent's, which may hold anything. Without a
   * speaker the line is of the call for which code runs now.
   */
  say(level: LogLevel, message: string, facts?: object, speaker?: Speaker, fields?: object): void;
}

interface Window {
  startedMs: number;
  lines: number;
}

export function openAgentLog(send: (message: FromWorker) => void, nowMs: () => number): AgentLog {
  const windows = new Map<string, Window>();
  const write = (level: LogLevel, entry: LogEntry): void => send({ type: "log", level, line: lineOf(entry) });

  /** The first line after a second in which some were left out says how many. */
  const isAllowed = (speaker: Speaker): boolean => {
    const agent = speaker.agent ?? "";
    const now = nowMs();
    const window = windows.get(agent) ?? { startedMs: now, lines: 0 };
    windows.set(agent, window);
    if (now - window.startedMs >= windowMs) {
      const leftOut = window.lines - logLinesPerSecondMax;
      window.startedMs = now;
      window.lines = 0;
      const message = `${leftOut} lines left out: more than logLinesPerSecondMax ${logLinesPerSecondMax}`;
      if (leftOut > 0) write("warn", { speaker: { agent: speaker.agent }, message, facts: {} });
    }
    window.lines += 1;
    return window.lines <= logLinesPerSecondMax;
  };

  return {
    say(level, message, facts = {}, speaker = currentOrigin() ?? {}, fields) {
      if (!isAllowed(speaker)) return;
      write(level, { speaker, message: message.slice(0, logCharsMax), facts, ...(fields && { fields }) });
    },
  };
}

/** What a handler finds in `ctx.log`. Other types than it says are taken as they come. */
export function loggerOf(log: AgentLog, origin: Origin): Logger {
  const at =
    (level: LogLevel) =>
    (message: unknown, fields?: object): void =>
      log.say(
        level,
        textOf(() => String(message)),
        {},
        origin,
        fields,
      );
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Fields that have no JSON form or are too long are left out, and the line says so. */
function lineOf(entry: LogEntry): string {
  const without = (why: string): string => JSON.stringify({ ...entry, fields: { leftOut: why } });
  try {
    const fields = JSON.stringify(entry.fields);
    return (fields?.length ?? 0) <= logCharsMax
      ? JSON.stringify(entry)
      : without(`fields of ${fields.length} characters`);
  } catch (error) {
    return without(textOf(() => String(error)));
  }
}

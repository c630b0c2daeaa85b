// What agents say, as lines of the node's log: each with whose it is, and of what a session
// prints so many in a second and no more.
import type { LogLevel } from "@voda/proto/log-line";
import { wordsOf } from "@voda/stdx";
import type { Logger } from "voda/definition";
import type { FromWorker, LogEntry } from "../threads/index.ts";
import { currentOrigin, type Origin } from "./origin.ts";
import { describeThrown, textOf } from "./thrown.ts";

/** A message of an agent's log, in characters; the rest is cut. Its fields may have as many again. */
export const logCharsMax = 8_192;
/**
 * Lines that one session prints in one second: a loop that prints fills neither the node's log nor the ring
 * that its neighbours answer by. What it logs as errors has as many of its own.
 */
export const logLinesPerSecondMax = 500;
/**
 * Lines that all sessions of one thread print in one second, errors apart: thousands of sessions that print a
 * few each fill the same log and the same ring.
 */
export const threadLogLinesPerSecondMax = 2_500;
const windowMs = 1_000;

/** Whose line it is: known by the call that runs, else as far as the one who speaks knows. */
export type Speaker = Partial<Origin>;

export interface AgentLog {
  /**
   * The node's own words, which nothing that an agent prints leaves out. Never throws. Without a speaker the
   * line is of the call for which code runs now.
   */
  say(level: LogLevel, message: string, facts?: object, speaker?: Speaker): void;
  /** The agent's words, so many in a second; its `fields` may hold anything. Never throws. */
  print(level: LogLevel, message: string, speaker?: Speaker, fields?: object): void;
  /**
   * The node's words of what an agent may set off as often as it likes without a call: a bound of their own.
   */
  logStray(message: string, facts: object): void;
  /** Tells now what was left out, of one session or of all. */
  settle(session?: { readonly agent: string; readonly key: string }): void;
}

/** Lines of a kind within one second, of a session or of all. */
interface Window {
  readonly speaker: Speaker;
  /** The bound's words, for the line that tells what was left out. */
  readonly bound: string;
  readonly startedMs: number;
  lines: number;
  leftOut: number;
}

type Kind = "printed" | "errors" | "strays";

export interface LogTime {
  readonly nowMs: () => number;
  /** Calls `end` once, later. */
  readonly after: (ms: number, end: () => void) => void;
}

/** Counts what is printed. `end` hears of each window that is over. */
function openWindows(end: (window: Window) => void, { nowMs, after }: LogTime) {
  const windows = new Map<string, Window>();

  /** Ends the windows that are over, and comes again while there are others. */
  const sweep = (): void => {
    const now = nowMs();
    for (const [name, window] of windows) {
      if (now - window.startedMs < windowMs) continue;
      windows.delete(name);
      end(window);
    }
    if (windows.size > 0) after(windowMs, sweep);
  };

  /** A loop that prints and never awaits lets no timer run: its windows end by the clock. */
  const windowOf = (name: string, speaker: Speaker, bound: string): Window => {
    const before = windows.get(name);
    if (before !== undefined && nowMs() - before.startedMs < windowMs) return before;
    if (before !== undefined) end(before);
    else if (windows.size === 0) after(windowMs, sweep);
    const window = { speaker, bound, startedMs: nowMs(), lines: 0, leftOut: 0 };
    windows.set(name, window);
    return window;
  };

  /** What a session may not print takes nothing of what all may. */
  const isAllowed = ({ agent, key }: Speaker, kind: Kind): boolean => {
    const all = windowOf(
      kind,
      {},
      `threadLogLinesPerSecondMax ${threadLogLinesPerSecondMax} of all sessions`,
    );
    if (all.lines >= threadLogLinesPerSecondMax) {
      all.leftOut += 1;
      return false;
    }
    const speaker = { ...(agent !== undefined && { agent }), ...(key !== undefined && { key }) };
    const own = windowOf(`${kind}/${agent}/${key}`, speaker, `logLinesPerSecondMax ${logLinesPerSecondMax}`);
    if (own.lines >= logLinesPerSecondMax) {
      own.leftOut += 1;
      return false;
    }
    own.lines += 1;
    all.lines += 1;
    return true;
  };
  return { isAllowed, open: () => windows.values() };
}

export function openAgentLog(send: (message: FromWorker) => void, time: LogTime): AgentLog {
  const write = (level: LogLevel, entry: LogEntry): void => send({ type: "log", level, line: lineOf(entry) });
  const report = (window: Window): void => {
    const { speaker, leftOut, bound } = window;
    window.leftOut = 0;
    const message = `${leftOut} lines left out: more than ${bound}`;
    if (leftOut > 0) write("warn", { speaker, message, facts: {} });
  };
  const windows = openWindows(report, time);
  const { isAllowed } = windows;
  const cut = (message: string): string => message.slice(0, logCharsMax);
  const here = (): Speaker => currentOrigin() ?? {};
  return {
    say: (level, message, facts = {}, speaker = here()) =>
      write(level, { speaker, message: cut(message), facts }),
    print(level, message, speaker = here(), fields) {
      if (!isAllowed(speaker, level === "error" ? "errors" : "printed")) return;
      write(level, { speaker, message: cut(message), facts: {}, ...(fields && { fields }) });
    },
    logStray(message, facts) {
      const speaker = here();
      if (isAllowed(speaker, "strays")) write("error", { speaker, message: cut(message), facts });
    },
    settle(session) {
      for (const window of windows.open()) {
        const { agent, key } = window.speaker;
        if (session === undefined || (session.agent === agent && session.key === key)) report(window);
      }
    },
  };
}

/** What a handler finds in `ctx.log`. Other types than it says are taken as they come. */
export function loggerOf(log: Pick<AgentLog, "print">, origin: Origin): Logger {
  const at =
    (level: LogLevel) =>
    (message: unknown, fields?: object): void =>
      log.print(
        level,
        textOf(() => String(message)),
        origin,
        fields,
      );
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Fields that have no JSON form or are too long are left out, and the line says so. */
function lineOf({ fields, ...words }: LogEntry): string {
  const line = JSON.stringify(words);
  if (fields === undefined) return line;
  // written once: what is asked again may answer otherwise
  const withFields = (json: string): string => `${line.slice(0, -1)},"fields":${json}}`;
  const without = (why: string): string => withFields(JSON.stringify({ leftOut: why }));
  try {
    const json = JSON.stringify(fields, withErrors) ?? "{}";
    return json.length <= logCharsMax ? withFields(json) : without(`fields of ${json.length} characters`);
  } catch (error) {
    return without(textOf(() => wordsOf(error)));
  }
}

/** What is said of an error keeps to a part of what fields may have. */
const messageCharsMax = logCharsMax / 8;
const stackCharsMax = logCharsMax / 4;

/** An error has no JSON of its own but `{}`: here it has its message and stack, and what else it carries. */
function withErrors(_: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const { message, stack } = describeThrown(value);
  return Object.assign({}, value, {
    message: message.slice(0, messageCharsMax),
    stack: stack.slice(0, stackCharsMax),
  });
}

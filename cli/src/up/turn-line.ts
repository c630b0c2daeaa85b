// What the terminal shows of what children write: a line of JSON for machines becomes one or a few for
// people.
import { join, relative } from "node:path";
import * as v from "valibot";

const warn = 40; // pino's level
/** Frames below the first few tell how the runtime got there. */
const framesMax = 6;
const indent = "    ";

const LogLine = v.looseObject({
  level: v.optional(v.number(), 30),
  time: v.optional(v.union([v.number(), v.string()])),
  msg: v.optional(v.string(), ""),
  agent: v.optional(v.string()),
  key: v.optional(v.string()),
  method: v.optional(v.string()),
  /** Trace id of the call. */
  trace: v.optional(v.string()),
  /** `file:line:column` in the user's sources, relative to the config's folder. */
  at: v.optional(v.string()),
  stack: v.optional(v.string()),
  /** What an agent gave to `ctx.log` beside the message; other names are the node's own facts. */
  fields: v.optional(v.looseObject({})),
  /** As pino writes an error. */
  err: v.optional(v.looseObject({ message: v.string() })),
});
type LogLine = v.InferOutput<typeof LogLine>;

/**
 * Ids of the machinery, which are in the log file; what is none of these is a field that the agent has
 * written.
 */
const ofMachinery: ReadonlySet<string> = new Set([
  ...Object.keys(LogLine.entries),
  "pid",
  "hostname",
  "name",
  "node",
  "revision",
  "namespace",
  "call",
]);

/**
 * What agents say, at every level, and of the machinery warnings and what is no log line at all (a crash);
 * undefined for the rest. `folder`: that of the config, from which places are told.
 */
export function turnLine(child: string, line: string, folder: string): string | undefined {
  const entry = parse(line);
  if (entry === undefined) return isOfVoda(child) && tells.test(line) ? `${child}  ${line}` : undefined;
  const { agent, key, method, msg, level } = entry;
  const isOfAgent = agent !== undefined && (key !== undefined || !("namespace" in entry)); // else it is about one
  if (!isOfAgent && level < warn) return undefined;
  const who = !isOfAgent ? child : `${agent}${key === undefined ? "" : `/${key}`}`;
  const said = entry.err === undefined ? msg : `${msg}: ${entry.err.message}`;
  const head = [`${clock(entry)}${who}`, method, levelWord(level), said, fieldsOf(entry)];
  return [
    head.filter((part) => part !== undefined && part !== "").join("  "),
    ...details(entry, folder),
  ].join("\n");
}

/** nats-server and Envoy write lines of their own kind; what the supervisor says is told otherwise. */
const isOfVoda = (child: string): boolean => child !== "nats" && child !== "envoy" && child !== "supervisor";
/** Of the lines with which a program of Node.js dies, the ones with the reason; the log has the frames. */
const tells = /^(?!node:|Node\.js v|\s|$)/;

function clock({ time }: LogLine): string {
  const at = new Date(time ?? Number.NaN);
  return Number.isNaN(at.getTime()) ? "" : `${at.toTimeString().slice(0, 8)} `;
}

function levelWord(level: number): string {
  if (level >= 50) return "error";
  if (level >= warn) return "warn";
  return level >= 30 ? "info" : "debug";
}

function fieldsOf(entry: LogLine): string | undefined {
  const fields = Object.entries({ ...entry, ...entry.fields }).filter(([name]) => !ofMachinery.has(name));
  return fields.length === 0 ? undefined : JSON.stringify(Object.fromEntries(fields));
}

/** Where it went wrong, in the user's own files first, and for which request. */
function details({ at, stack = "", trace, level }: LogLine, folder: string): string[] {
  if (level < warn) return [];
  const frames = stack.split("\n").filter((frame) => /^ +at /.test(frame) && !isOfRuntime(frame));
  const place = at === undefined ? undefined : relative(".", join(folder, at));
  return [
    ...(place === undefined ? [] : [`${indent}at ${place}`]),
    ...frames
      .filter((frame) => at === undefined || !frame.includes(at))
      .slice(0, framesMax)
      .map((frame) => `${indent}${frame.trim()}`),
    ...(trace === undefined ? [] : [`${indent}request ${trace}`]),
  ];
}

/** Of Node.js or of voda: the user's files and packages have relative names. */
function isOfRuntime(frame: string): boolean {
  return /node:|file:\/\/|\(\/|at (async )?\/|<anonymous>\)$/.test(frame);
}

function parse(line: string): LogLine | undefined {
  if (!line.startsWith("{")) return undefined;
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), LogLine), line);
  return result.success ? result.output : undefined;
}

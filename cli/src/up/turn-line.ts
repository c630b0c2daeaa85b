// What the terminal shows of what children write: a line of JSON for machines becomes one or a few for
// people.
import { join, relative } from "node:path";
import * as v from "valibot";

const warn = 40; // pino's level
/** Frames below the first few tell how the runtime got there. */
const framesMax = 6;
const indent = "    ";

const ProgramLine = v.looseObject({
  level: v.optional(v.number(), 30),
  time: v.optional(v.union([v.number(), v.string()])),
  msg: v.optional(v.string(), ""),
  agent: v.optional(v.string()),
  key: v.optional(v.string()),
  method: v.optional(v.string()),
  /** Trace id of the call. */
  trace: v.optional(v.string()),
  /** Its `x-request-id`. */
  request: v.optional(v.string()),
  /** `file:line:column` in the user's sources, relative to the config's folder. */
  at: v.optional(v.string()),
  stack: v.optional(v.string()),
  /** What an agent gave to `ctx.log` beside the message; other names are the node's own facts. */
  fields: v.optional(v.unknown()),
  /** As pino writes an error. */
  err: v.optional(v.looseObject({ message: v.string() })),
});
/** What a program of ours writes as JSON. */
export type ProgramLine = v.InferOutput<typeof ProgramLine>;

/** An error that an agent has logged. */
const LoggedError = v.looseObject({ message: v.string(), stack: v.string() });

/** Ids of the machinery, which are in the log file; what is none of these is a fact that the node tells. */
const ofMachinery: ReadonlySet<string> = new Set([
  ...Object.keys(ProgramLine.entries),
  "pid",
  "hostname",
  "name",
  "node",
  "revision",
  "namespace",
  "call",
]);

/** How lines are told. */
export interface Shown {
  /** That of the config, from which places are told. */
  readonly folder: string;
  /** `dated`: date and zone too (RFC 3339), for lines that are read on another day. */
  readonly clock: "today" | "dated";
}

/**
 * What agents say, at every level, and of the machinery warnings and what is no log line at all (a crash);
 * undefined for the rest.
 */
export function turnLine(child: string, line: string, { folder, clock }: Shown): string | undefined {
  const entry = parseProgramLine(line);
  if (entry === undefined) return isOfVoda(child) && tells.test(line) ? `${child}  ${line}` : undefined;
  const { agent, key, method, msg, level } = entry;
  // else it is about one
  const isOfAgent = agent !== undefined && (key !== undefined || !("namespace" in entry));
  if (!isOfAgent && level < warn) return undefined;
  const who = !isOfAgent ? child : `${agent}${key === undefined ? "" : `/${key}`}`;
  const ofError = entry.err ?? (v.is(LoggedError, entry.fields) ? entry.fields : undefined);
  const said = ofError === undefined ? msg : `${msg}: ${ofError.message}`;
  const request = entry.request === undefined ? undefined : `request ${entry.request}`;
  const head = [`${timeOf(entry, clock)}${who}`, method, levelWord(level), said, fieldsOf(entry), request];
  const first = head.filter((part) => part !== undefined && part !== "").join("  ");
  // What goes on on another line is indented: it must not look like a line of another session.
  return [first, ...details(entry, folder)]
    .map((part) => part.replaceAll(/\r?\n/g, `\n${indent}`))
    .join("\n");
}

/** nats-server and Envoy write lines of their own kind; what the supervisor says is told otherwise. */
const isOfVoda = (child: string): boolean => child !== "nats" && child !== "envoy" && child !== "supervisor";
/** Of the lines with which a program of Node.js dies, the ones with the reason; the log has the frames. */
const tells = /^(?!node:|Node\.js v|\s|$)/;

function timeOf({ time }: ProgramLine, clock: Shown["clock"]): string {
  const at = new Date(time ?? Number.NaN);
  if (Number.isNaN(at.getTime())) return "";
  return `${clock === "dated" ? at.toISOString() : at.toTimeString().slice(0, 8)} `;
}

function levelWord(level: number): string {
  if (level >= 50) return "error";
  if (level >= warn) return "warn";
  return level >= 30 ? "info" : "debug";
}

/**
 * The node's facts, then whatever the agent gave, by any name; of errors the message, for their stack
 * follows.
 */
function fieldsOf({ fields, ...entry }: ProgramLine): string | undefined {
  const facts = Object.entries(entry).filter(([name]) => !ofMachinery.has(name));
  const shown = [...facts, ...agentFields(fields)];
  return shown.length === 0 ? undefined : JSON.stringify(Object.fromEntries(shown));
}

function agentFields(fields: unknown): [string, unknown][] {
  if (typeof fields !== "object" || fields === null) return fields === undefined ? [] : [["fields", fields]];
  const isError = v.is(LoggedError, fields);
  return Object.entries(fields)
    .filter(([name]) => !isError || (name !== "message" && name !== "stack"))
    .map(([name, value]) => [name, v.is(LoggedError, value) ? value.message : value]);
}

function errorFrames(fields: unknown): string[] {
  if (typeof fields !== "object" || fields === null) return [];
  return [fields, ...Object.values(fields)]
    .filter((value) => v.is(LoggedError, value))
    .flatMap(({ stack }) => userFrames(stack).slice(0, framesMax));
}

/** Places of the user's are relative to the folder of the config: here they are told from where one reads. */
function details({ at, stack = "", trace, level, fields }: ProgramLine, folder: string): string[] {
  const fromHere = (place: string): string => relative(".", join(folder, place));
  const told = (frame: string): string =>
    indent + frame.trim().replace(framePlace, (_, before: string, place: string) => before + fromHere(place));
  const ofErrors = errorFrames(fields).map(told);
  if (level < warn && at === undefined) return ofErrors;
  const frames = userFrames(stack);
  return [
    ...(at === undefined ? [] : [`${indent}at ${fromHere(at)}`]),
    ...frames
      .filter((frame) => at === undefined || !frame.includes(at))
      .slice(0, framesMax)
      .map(told),
    ...ofErrors,
    ...(trace === undefined ? [] : [`${indent}trace ${trace}`]),
  ];
}

/** `at add (` and `counter.ts:12:5`, or the same without a name: `at async ` and the place. */
const framePlace = /^(at (?:.*\(|async )?)([^()\s][^()]*:\d+:\d+)(?=\)?$)/;

function userFrames(stack: string): string[] {
  return stack.split("\n").filter((frame) => /^ +at /.test(frame) && !isOfRuntime(frame));
}

/** Of Node.js or of voda: the user's files and packages have relative names. */
function isOfRuntime(frame: string): boolean {
  return /node:|file:\/\/|\(\/|at (async )?\/|<anonymous>\)$/.test(frame);
}

/** Undefined for what is no line of JSON of a program of ours. */
export function parseProgramLine(line: string): ProgramLine | undefined {
  if (!line.startsWith("{")) return undefined;
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), ProgramLine), line);
  return result.success ? result.output : undefined;
}

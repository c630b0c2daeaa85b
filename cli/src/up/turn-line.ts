import * as v from "valibot";

const warn = 40; // pino's level
const LogLine = v.object({
  level: v.optional(v.number(), 30),
  time: v.optional(v.union([v.number(), v.string()])),
  msg: v.optional(v.string(), ""),
  agent: v.optional(v.string()),
  key: v.optional(v.string()),
  method: v.optional(v.string()),
});

/** What `voda dev` shows of a line in a child's log: what agents say, and warnings; `undefined` for the rest. */
export function turnLine(child: string, line: string): string | undefined {
  const entry = parse(line);
  if (entry === undefined) return undefined;
  const { agent, key, method, msg, time, level } = entry;
  if (agent === undefined && level < warn) return undefined;
  const at = new Date(time ?? Number.NaN);
  const clock = Number.isNaN(at.getTime()) ? "" : `${at.toTimeString().slice(0, 8)} `;
  const who = agent === undefined ? child : `${agent}${key === undefined ? "" : `/${key}`}`;
  return [`${clock}${who}`, method, msg].filter((part) => part !== undefined && part !== "").join("  ");
}

function parse(line: string): v.InferOutput<typeof LogLine> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const result = v.safeParse(LogLine, JSON.parse(line));
    return result.success ? result.output : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // a line of another program
    throw error;
  }
}

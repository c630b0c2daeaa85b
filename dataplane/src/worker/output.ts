// What agents print becomes lines of the node's log. The node's own standard output tells its supervisor that
// it is ready: nothing that an agent writes may come between.
import { formatWithOptions } from "node:util";
import type { LogLevel } from "@voda/proto/log-line";
import type { AgentLog } from "./log.ts";
import { textOf } from "./thrown.ts";

const consoleLevels = {
  debug: "debug",
  log: "info",
  info: "info",
  warn: "warn",
  error: "error",
  trace: "warn",
} as const satisfies Partial<Record<keyof Console, LogLevel>>;

/**
 * Takes over `console` and both streams of this thread; what else `console` has (`table`, `dir`) writes to
 * the streams.
 */
export function captureOutput(log: AgentLog): void {
  for (const [method, level] of Object.entries(consoleLevels)) {
    const say = (...args: unknown[]): void => log.print(level, formatted(args));
    Object.defineProperty(console, method, { value: say, configurable: true, writable: true });
  }
  capture(process.stdout, (text) => log.print("info", text));
  capture(process.stderr, (text) => log.print("warn", text));
}

function formatted(args: readonly unknown[]): string {
  return textOf(() => formatWithOptions({ colors: false }, ...args));
}

/** A write is a line: who prints dots one by one gets a line for each. */
function capture(stream: NodeJS.WriteStream, say: (text: string) => void): void {
  const write = (chunk: unknown, encoding?: unknown, done?: unknown): boolean => {
    const text = typeof chunk === "string" ? chunk : Buffer.from(chunk as Uint8Array).toString();
    if (text.trim() !== "") say(text.replace(/\n$/, ""));
    const then = typeof encoding === "function" ? encoding : done;
    if (typeof then === "function") process.nextTick(then);
    return true;
  };
  Object.defineProperty(stream, "write", { value: write, configurable: true, writable: true });
}

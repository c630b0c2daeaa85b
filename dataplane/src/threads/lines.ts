// What a thread says as lines of JSON. The code of agents shares the thread that wrote them, and may have
// replaced what they are written with: a line that is not what it should be ends that thread, not this one.
import type { AgentDefinition } from "voda/definition";
import { FrameError } from "../frame/index.ts";
import type { LogEntry } from "./from-worker.ts";

const shownCharsMax = 80;

/** Who holds a thread, as far as it could say when it was stopped. */
export interface ThreadHolder {
  /** Empty for code that no call set off. */
  readonly speaker: { readonly agent?: string; readonly call?: number };
  /** The user's own file and line. */
  readonly at?: string;
}

/** @throws FrameError or SyntaxError */
export function readLogEntry(line: string): LogEntry {
  const entry: unknown = JSON.parse(line);
  if (!isLogEntry(entry)) throw wrong("a line of the log", line);
  return entry;
}

/** @throws FrameError or SyntaxError */
export function readDefinitions(line: string): readonly AgentDefinition[] {
  const definitions: unknown = JSON.parse(line);
  if (!Array.isArray(definitions) || !definitions.every(isDefinition))
    throw wrong("the definitions of agents", line);
  return definitions;
}

/** Why a bundle did not load, for a person. @throws FrameError or SyntaxError */
export function readLoadError(line: string): string {
  const error: unknown = JSON.parse(line);
  if (!isNamed(error, "message")) throw wrong("an error", line);
  return isNamed(error, "at") ? `${error.message} at ${error.at}` : error.message;
}

/** Who holds the thread. @throws FrameError or SyntaxError */
export function readHolder(line: string): ThreadHolder {
  const holder: unknown = JSON.parse(line);
  if (!isHolder(holder)) throw wrong("who holds a thread", line);
  return holder;
}

const isNamed = <K extends string>(value: unknown, key: K): value is Readonly<Record<K, string>> =>
  typeof value === "object" && value !== null && typeof Reflect.get(value, key) === "string";

function isHolder(value: unknown): value is ThreadHolder {
  if (typeof value !== "object" || value === null || !("speaker" in value)) return false;
  const { speaker, at } = value as { readonly speaker: unknown; readonly at?: unknown };
  if (typeof speaker !== "object" || speaker === null) return false;
  const call: unknown = Reflect.get(speaker, "call");
  const isCall = call === undefined || typeof call === "number";
  return isCall && (at === undefined || typeof at === "string");
}

const isLogEntry = (value: unknown): value is LogEntry => isNamed(value, "message");

function isDefinition(value: unknown): value is AgentDefinition {
  if (!isNamed(value, "name") || !("fields" in value && "methods" in value)) return false;
  return [value.fields, value.methods].every(
    (parts) => Array.isArray(parts) && parts.every((part) => isNamed(part, "name")),
  );
}

function wrong(what: string, line: string): FrameError {
  return new FrameError(`${line.slice(0, shownCharsMax)} is not ${what}`);
}

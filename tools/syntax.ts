// The syntax tree of a source file, by the parser that the bundler brings: what the ratchets measure and
// mutants change.
import { readFileSync } from "node:fs";
import { parseSync } from "rolldown/utils";

/** A node of the tree (ESTree with TypeScript); `start` and `end` are places in the text. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** A parsed file. */
export interface Source {
  readonly file: string;
  readonly text: string;
  readonly program: Node;
  readonly comments: readonly Node[];
}

/** @throws when the file does not parse */
export function parse(file: string): Source {
  const text = readFileSync(file, "utf8");
  const { program, comments, errors } = parseSync(file, text, { lang: "ts", sourceType: "module" });
  const [error] = errors;
  if (error !== undefined) throw new Error(`${file} does not parse: ${error.message}`);
  return { file, text, program: { ...program }, comments: comments.map((comment) => ({ ...comment })) };
}

/** Calls `visit` with each node and its ancestors, nearest first; `false` leaves out what is below it. */
export function walk(
  node: Node,
  visit: (node: Node, ancestors: readonly Node[]) => false | undefined,
  ancestors: readonly Node[] = [],
): void {
  if (visit(node, ancestors) === false) return;
  const below = [node, ...ancestors];
  for (const child of children(node)) walk(child, visit, below);
}

/** What lies directly below a node, in the order of its fields. */
export function children(node: Node): readonly Node[] {
  return Object.values(node)
    .flatMap((value) => (Array.isArray(value) ? value : [value]))
    .filter(isNode);
}

/** Whether a field of a node holds one. */
export const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && "start" in value;

/** Line of a place in a text, from 1. */
export function lineOf(text: string, at: number): number {
  let line = 1;
  for (let i = text.indexOf("\n"); i >= 0 && i < at; i = text.indexOf("\n", i + 1)) line += 1;
  return line;
}

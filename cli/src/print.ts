// What commands print: tables for people, one JSON value per line for programs.
import Table from "cli-table3";
import { workflowMethodNames } from "voda/definition";

/** Takes one line without its end; a table is one call too. */
export type Print = (line: string) => void;

/** Where a program's lines go: its result, and what it tells people beside it. */
export interface Streams {
  readonly out: Print;
  readonly err: Print;
}

/** Where a command's lines go, made safe for a terminal: `out` unless a program has asked for JSON. */
export interface Output extends Streams {
  /** A result that leaves as it is: what the command itself has made safe, or what no terminal shows. */
  readonly exact: Print;
}

/** Moves the cursor, hides or turns text around, or ends a line. */
const unsafe = /[[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]--[\t\n]]/gv;

/**
 * What agents, callers and files say, for a terminal that obeys escape sequences: they show as JSON has them.
 * Ends of lines stay: who puts such words into a line of ours takes them out, or indents what follows.
 */
export function forTerminal(text: string): string {
  return text.replaceAll(unsafe, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const plain = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
};

/** Columns without rules or colours, so that `grep` and `awk` read it too. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const made = new Table({
    head: [...head],
    chars: plain,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  // A cell of two lines would look like two rows.
  for (const row of rows) made.push(row.map((cell) => cell.replaceAll("\n", "\\n")));
  return made
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

/** An agent may have hundreds of methods. */
const namedMax = 8;

/** At most `namedMax` words, then how many more there are. */
export function firstOf(words: readonly string[], separator: string): string {
  const more = words.length > namedMax ? [`and ${words.length - namedMax} more`] : [];
  return [...words.slice(0, namedMax), ...more].join(separator);
}

/** `12.3 s`, `45 ms`. */
export function duration(ms: number): string {
  return ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms)} ms`;
}

/**
 * Those that an author wrote before those that each agent with workflows has, and what clients reach before
 * what they do not. What begins with an underscore is between voda and itself, and is not shown.
 */
export function inOrderOfUse<M extends { readonly name: string }>(
  methods: readonly M[],
  isInternal: (method: M) => boolean,
): readonly M[] {
  const place = (method: M): number =>
    2 * Number(workflowMethodNames.has(method.name)) + Number(isInternal(method));
  return methods.filter(({ name }) => !name.startsWith("_")).toSorted((a, b) => place(a) - place(b));
}

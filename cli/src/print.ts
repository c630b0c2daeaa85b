// What commands print: tables for people, one JSON value per line for programs.
import Table from "cli-table3";

/** Takes one line without its end; a table is one call too. */
export type Print = (line: string) => void;

/** Where a command's lines go: its result, and what it tells people beside it. */
export interface Output {
  readonly out: Print;
  readonly err: Print;
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
  for (const row of rows) made.push([...row]);
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

// How a value of anybody's is told in an error.
const shownCharsMax = 80;

/** As it was written: texts with quotes, for `"3"` is no number; of what has no such text its type. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, shownCharsMax));
  if (typeof value === "bigint") return `${value}n`;
  return typeof value === "number" || value === null ? String(value) : `type ${typeof value}`;
}

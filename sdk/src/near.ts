// Names that somebody may have meant.

/** Letters that a slip adds, leaves out or takes for others; two that changed places are two. */
const slipsMax = 2;

/** ` (did you mean counter?)` for the known name that is nearest, where one is near; else nothing. */
export function didYouMean(written: string, known: Iterable<string>): string {
  const slips = (name: string): number => distance(written.toLowerCase(), name.toLowerCase());
  const near = [...known]
    .map((name) => ({ name, slips: slips(name) }))
    .filter((one) => one.slips <= Math.min(slipsMax, one.name.length / 2))
    .toSorted((a, b) => a.slips - b.slips);
  return near[0] === undefined ? "" : ` (did you mean ${near[0].name}?)`;
}

/** Levenshtein's, row by row. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
  }
  return row.at(-1) ?? 0;
}

// Names that somebody may have meant.

/** Letters that a slip adds, leaves out or takes for others; two neighbours that changed places are one. */
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

/** Levenshtein's with swaps of neighbours, row by row. */
function distance(a: string, b: string): number {
  let above: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const twoAbove = above;
    above = row;
    row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const at = (from: readonly number[], k: number): number => from[k] ?? Number.POSITIVE_INFINITY;
      const replaced = at(above, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap ? at(twoAbove, j - 2) + 1 : replaced;
      row.push(Math.min(replaced, swapped, at(above, j) + 1, at(row, j - 1) + 1));
    }
  }
  return row.at(-1) ?? 0;
}

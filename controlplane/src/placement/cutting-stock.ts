// Prices of piece sizes from the cutting stock linear program: what each is worth as a part of one whole,
// when pieces are asked for with the given frequencies and cut in the best combinations. Gilmore and Gomory's
// column generation.
const tolerance = 1e-9;
/**
 * Columns; real mixes need tens. At the limit the prices so far are used: still prices, a little below the
 * optimum.
 */
const iterationsMax = 2000;

/** A size that is asked for, and how often. */
export interface Piece {
  /** 1 to `whole`. */
  readonly size: number;
  readonly frequency: number;
}

/**
 * Minimises the wholes that are cut, subject to the frequencies. The duals of the constraints are the prices,
 * by piece. Revised simplex: `basis` rows are the inverse of the chosen columns.
 */
export function pricesOfPieces(pieces: readonly Piece[], whole: number): readonly number[] {
  const count = pieces.length;
  const amounts = Float64Array.from(pieces, ({ size, frequency }) => frequency / Math.floor(whole / size));
  const costs = new Float64Array(count).fill(1);
  const inverse = pieces.map(({ size }, i) => {
    const row = new Float64Array(count);
    row[i] = 1 / Math.floor(whole / size);
    return row;
  });
  const prices = new Float64Array(count);
  for (let iteration = 0; iteration < iterationsMax; iteration++) {
    prices.fill(0);
    for (const [i, row] of inverse.entries())
      for (let j = 0; j < count; j++) prices[j] = at(prices, j) + at(costs, i) * at(row, j);
    const entering = enteringColumn(pieces, whole, prices);
    if (entering === undefined || !pivot(entering, { inverse, amounts, costs })) break;
  }
  return Array.from(prices, (price) => Math.max(0, price));
}

interface Column {
  readonly pieces: Float64Array;
  readonly cost: 0 | 1;
}

/**
 * A column that lowers the sum: more of a piece than is asked for when its price is negative, else the best
 * pattern.
 */
function enteringColumn(pieces: readonly Piece[], whole: number, prices: Float64Array): Column | undefined {
  let lowest = 0;
  for (let i = 1; i < prices.length; i++) if (at(prices, i) < at(prices, lowest)) lowest = i;
  if (prices.length > 0 && at(prices, lowest) < -tolerance) {
    const surplus = new Float64Array(prices.length);
    surplus[lowest] = -1;
    return { pieces: surplus, cost: 0 };
  }
  const pattern = bestPattern(pieces, whole, prices);
  return pattern === undefined ? undefined : { pieces: pattern, cost: 1 };
}

/** Unbounded knapsack; `undefined` when no pattern is worth more than the whole that it costs. */
function bestPattern(
  pieces: readonly Piece[],
  whole: number,
  prices: Float64Array,
): Float64Array | undefined {
  const value = new Float64Array(whole + 1);
  const last = new Int32Array(whole + 1).fill(-1);
  for (let room = 1; room <= whole; room++) {
    value[room] = at(value, room - 1);
    for (const [i, { size }] of pieces.entries()) {
      if (size > room) continue;
      const worth = at(value, room - size) + at(prices, i);
      if (worth <= at(value, room) + 1e-12) continue;
      value[room] = worth;
      last[room] = i;
    }
  }
  if (at(value, whole) <= 1 + 1e-7) return undefined;
  const pattern = new Float64Array(pieces.length);
  for (let room = whole; room > 0; ) {
    const i = at(last, room);
    if (i < 0) room -= 1;
    else {
      pattern[i] = at(pattern, i) + 1;
      room -= pieces[i]?.size ?? room;
    }
  }
  return pattern;
}

interface Basis {
  readonly inverse: readonly Float64Array[];
  readonly amounts: Float64Array;
  readonly costs: Float64Array;
}

/** Exchanges the entering column for the one that runs out first; false when none does. */
function pivot(entering: Column, { inverse, amounts, costs }: Basis): boolean {
  const direction = inverse.map((row) => row.reduce((sum, one, j) => sum + one * at(entering.pieces, j), 0));
  let leaving = -1;
  let step = Number.POSITIVE_INFINITY;
  for (const [i, slope] of direction.entries()) {
    if (slope <= tolerance || at(amounts, i) / slope >= step - 1e-12) continue;
    step = at(amounts, i) / slope;
    leaving = i;
  }
  const pivotRow = inverse[leaving];
  const slope = direction[leaving];
  if (pivotRow === undefined || slope === undefined) return false;
  for (let j = 0; j < pivotRow.length; j++) pivotRow[j] = at(pivotRow, j) / slope;
  for (const [i, row] of inverse.entries()) {
    const factor = direction[i] ?? 0;
    if (i === leaving || factor === 0) continue;
    amounts[i] = at(amounts, i) - step * factor;
    for (let j = 0; j < row.length; j++) row[j] = at(row, j) - factor * at(pivotRow, j);
  }
  amounts[leaving] = step;
  costs[leaving] = entering.cost;
  return true;
}

function at(list: Float64Array | Int32Array, i: number): number {
  return list[i] as number;
}

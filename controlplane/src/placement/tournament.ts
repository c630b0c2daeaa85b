// The best of many, found again in the logarithm of their count after one of them has changed.

/** The least of many values, of which one changes at a time: a change costs the logarithm of their number. */
export interface Tournament {
  /** Of equals the first. */
  winner(): number;
  changed(contender: number): void;
}

/** Contenders are 0 to `count - 1`; `isBetter` is a strict weak order of what they are now. */
export function tournament(count: number, isBetter: (a: number, b: number) => boolean): Tournament {
  const width = 2 ** Math.ceil(Math.log2(Math.max(1, count)));
  /** The winner of match i is that of the matches 2i and 2i + 1; contender c enters at `width + c`. */
  const winners = new Int32Array(2 * width).fill(absent);
  for (let contender = 0; contender < count; contender++) winners[width + contender] = contender;
  const play = (match: number): void => {
    const first = winners[2 * match] as number;
    const second = winners[2 * match + 1] as number;
    winners[match] = second !== absent && isBetter(second, first) ? second : first;
  };
  for (let match = width - 1; match >= 1; match--) play(match);
  return {
    winner: () => winners[1] as number,
    changed: (contender) => {
      for (let match = (width + contender) >> 1; match >= 1; match >>= 1) play(match);
    },
  };
}

const absent = -1;

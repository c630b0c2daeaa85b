// One line chart as marks: lines over two linear axes, and a legend beside them.

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** For bounds, not for measurements. */
  readonly isDashed?: boolean;
}

export interface Chart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly lines: readonly Line[];
  /** Cuts the axis: what is above is left out. */
  readonly yMax?: number;
}

/** What is drawn, on a page of `pageWidth` x `pageHeight`. */
export type Mark =
  | {
      readonly type: "line";
      readonly points: readonly (readonly [x: number, y: number])[];
      readonly colour: string;
      readonly width: number;
      readonly isDashed: boolean;
    }
  | {
      readonly type: "words";
      readonly x: number;
      /** Of the foot of the letters. */
      readonly y: number;
      readonly words: string;
      readonly colour: string;
      readonly anchor: "start" | "middle" | "end";
      /** From the foot to the top of the page. */
      readonly isUpward: boolean;
    };

export const pageWidth = 900;
export const pageHeight = 520;
const LEFT = 70;
const RIGHT = 190;
const TOP = 44;
const BOTTOM = 60;
const TICKS = 8;
const SWATCH = 22;
const INK = "#222222";
const GRID = "#dddddd";
/** One per policy; the last is a bound's. */
const COLOURS = ["#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#e377c2", "#17becf"];
const BOUND = "#555555";

export function marksOf({
  title,
  xLabel,
  yLabel,
  lines,
  yMax = Number.POSITIVE_INFINITY,
}: Chart): readonly Mark[] {
  const inside = lines.map((line) => ({ ...line, points: line.points.filter(([, y]) => y <= yMax) }));
  const all = inside.flatMap(({ points }) => points);
  const [right, foot] = [pageWidth - RIGHT, pageHeight - BOTTOM];
  const x = scaleOf(
    all.map(([value]) => value),
    LEFT,
    right,
  );
  const y = scaleOf([0, ...all.map(([, value]) => value)], foot, TOP);
  const colours = inside.map((line, i) =>
    line.isDashed === true ? BOUND : (COLOURS[i % COLOURS.length] ?? INK),
  );
  return [
    words(LEFT, TOP - 18, title),
    ...y.ticks.flatMap((tick) => [
      stroke([[LEFT, y.at(tick)] as const, [right, y.at(tick)] as const], GRID),
      words(LEFT - 8, y.at(tick) + 4, String(tick), "end"),
    ]),
    ...x.ticks.flatMap((tick) => [
      stroke([[x.at(tick), foot] as const, [x.at(tick), foot + 5] as const], INK),
      words(x.at(tick), foot + 20, String(tick), "middle"),
    ]),
    stroke([[LEFT, TOP] as const, [LEFT, foot] as const, [right, foot] as const], INK),
    words((LEFT + right) / 2, pageHeight - 14, xLabel, "middle"),
    { ...words(20, (TOP + foot) / 2, yLabel, "middle"), isUpward: true },
    ...inside.map(({ points, isDashed }, i) => ({
      ...stroke(
        points.map(([a, b]) => [x.at(a), y.at(b)] as const),
        colours[i] ?? INK,
      ),
      width: 1.8,
      isDashed: isDashed === true,
    })),
    ...inside.flatMap((line, i) =>
      legend(line, { colour: colours[i] ?? INK, x: right + 14, y: TOP + 18 * (i + 1) }),
    ),
  ];
}

function legend(
  { name, isDashed }: Line,
  { colour, x, y }: { colour: string; x: number; y: number },
): readonly Mark[] {
  const swatch = stroke([[x, y - 4] as const, [x + SWATCH, y - 4] as const], colour);
  return [{ ...swatch, width: 3, isDashed: isDashed === true }, words(x + SWATCH + 6, y, name)];
}

function stroke(
  points: readonly (readonly [number, number])[],
  colour: string,
): Mark & { readonly type: "line" } {
  return { type: "line", points, colour, width: 1, isDashed: false };
}

function words(
  x: number,
  y: number,
  said: string,
  anchor: "start" | "middle" | "end" = "start",
): Mark & { type: "words" } {
  return { type: "words", x, y, words: said, colour: INK, anchor, isUpward: false };
}

interface Scale {
  readonly ticks: readonly number[];
  at(value: number): number;
}

function scaleOf(values: readonly number[], from: number, to: number): Scale {
  const least = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const most = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const [low, high] = Number.isFinite(least) && most > least ? [least, most] : [0, 1];
  const step = niceStep((high - low) / TICKS);
  const first = Math.ceil(low / step);
  const count = Math.floor(high / step) - first + 1;
  const ticks = Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(6)));
  return {
    ticks,
    at: (value) => Math.round((from + ((value - low) / (high - low)) * (to - from)) * 10) / 10,
  };
}

/** 1, 2 or 5 times a power of ten. */
function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((one) => one * power >= rough) ?? 10);
}

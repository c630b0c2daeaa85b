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
const marginLeft = 70;
const marginRight = 190;
const marginTop = 44;
const marginBottom = 60;
const tickCount = 8;
const swatchWidth = 22;
const inkColour = "#222222";
const gridColour = "#dddddd";
/** One per policy; the last is a bound's. */
const palette = ["#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#e377c2", "#17becf"];
const boundColour = "#555555";

export function marksOf({
  title,
  xLabel,
  yLabel,
  lines,
  yMax = Number.POSITIVE_INFINITY,
}: Chart): readonly Mark[] {
  const inside = lines.map((line) => ({ ...line, points: line.points.filter(([, y]) => y <= yMax) }));
  const all = inside.flatMap(({ points }) => points);
  const [right, foot] = [pageWidth - marginRight, pageHeight - marginBottom];
  const x = scaleOf(
    all.map(([value]) => value),
    marginLeft,
    right,
  );
  const y = scaleOf([0, ...all.map(([, value]) => value)], foot, marginTop);
  const colours = inside.map((line, i) =>
    line.isDashed === true ? boundColour : (palette[i % palette.length] ?? inkColour),
  );
  return [
    words(marginLeft, marginTop - 18, title),
    ...y.ticks.flatMap((tick) => [
      stroke([[marginLeft, y.at(tick)] as const, [right, y.at(tick)] as const], gridColour),
      words(marginLeft - 8, y.at(tick) + 4, String(tick), "end"),
    ]),
    ...x.ticks.flatMap((tick) => [
      stroke([[x.at(tick), foot] as const, [x.at(tick), foot + 5] as const], inkColour),
      words(x.at(tick), foot + 20, String(tick), "middle"),
    ]),
    stroke(
      [[marginLeft, marginTop] as const, [marginLeft, foot] as const, [right, foot] as const],
      inkColour,
    ),
    words((marginLeft + right) / 2, pageHeight - 14, xLabel, "middle"),
    { ...words(20, (marginTop + foot) / 2, yLabel, "middle"), isUpward: true },
    ...inside.map(({ points, isDashed }, i) => ({
      ...stroke(
        points.map(([a, b]) => [x.at(a), y.at(b)] as const),
        colours[i] ?? inkColour,
      ),
      width: 1.8,
      isDashed: isDashed === true,
    })),
    ...inside.flatMap((line, i) =>
      legend(line, { colour: colours[i] ?? inkColour, x: right + 14, y: marginTop + 18 * (i + 1) }),
    ),
  ];
}

function legend(
  { name, isDashed }: Line,
  { colour, x, y }: { colour: string; x: number; y: number },
): readonly Mark[] {
  const swatch = stroke([[x, y - 4] as const, [x + swatchWidth, y - 4] as const], colour);
  return [{ ...swatch, width: 3, isDashed: isDashed === true }, words(x + swatchWidth + 6, y, name)];
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
  return { type: "words", x, y, words: said, colour: inkColour, anchor, isUpward: false };
}

interface Scale {
  readonly ticks: readonly number[];
  at(value: number): number;
}

function scaleOf(values: readonly number[], from: number, to: number): Scale {
  const least = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const most = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const [low, high] = Number.isFinite(least) && most > least ? [least, most] : [0, 1];
  const step = niceStep((high - low) / tickCount);
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

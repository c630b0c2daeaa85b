// One line chart as SVG text: lines over two linear axes, names beside their ends.

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

const WIDTH = 900;
const HEIGHT = 520;
const LEFT = 70;
const RIGHT = 170;
const TOP = 40;
const BOTTOM = 55;
const TICKS = 8;
const COLOURS = ["#0b6e4f", "#c1292e", "#235789", "#b8860b", "#6a4c93", "#3d405b", "#e07a5f", "#118ab2"];

export function plotLines({ title, xLabel, yLabel, lines, yMax = Number.POSITIVE_INFINITY }: Chart): string {
  const inside = lines.map((line) => ({ ...line, points: line.points.filter(([, y]) => y <= yMax) }));
  const all = inside.flatMap(({ points }) => points);
  const x = scaleOf(
    all.map(([value]) => value),
    LEFT,
    WIDTH - RIGHT,
  );
  const y = scaleOf([0, ...all.map(([, value]) => value)], HEIGHT - BOTTOM, TOP);
  const parts = [
    text(LEFT, TOP - 16, title, "font-weight='bold'"),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, xLabel, "text-anchor='middle'"),
    `<text x='18' y='${(TOP + HEIGHT - BOTTOM) / 2}' transform='rotate(-90 18 ${(TOP + HEIGHT - BOTTOM) / 2})' text-anchor='middle'>${escape(yLabel)}</text>`,
    ...x.ticks.map((tick) => text(x.at(tick), HEIGHT - BOTTOM + 18, String(tick), "text-anchor='middle'")),
    ...y.ticks.map(
      (tick) =>
        `<line x1='${LEFT}' x2='${WIDTH - RIGHT}' y1='${y.at(tick)}' y2='${y.at(tick)}' stroke='#ddd'/>${text(LEFT - 8, y.at(tick) + 4, String(tick), "text-anchor='end'")}`,
    ),
    ...inside.map((line, i) => drawLine(line, { x, y, colour: line.isDashed === true ? "#555" : colourOf(i) })),
    ...inside.map((line, i) =>
      text(WIDTH - RIGHT + 14, TOP + 18 * (i + 1), line.name, `fill='${line.isDashed === true ? "#555" : colourOf(i)}'`),
    ),
  ];
  const frame = `<svg xmlns='http://www.w3.org/2000/svg' width='${WIDTH}' height='${HEIGHT}' font-family='sans-serif' font-size='13'>`;
  return `${frame}<rect width='100%' height='100%' fill='white'/>\n${parts.join("\n")}\n</svg>\n`;
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
  return { ticks, at: (value) => Math.round((from + ((value - low) / (high - low)) * (to - from)) * 10) / 10 };
}

/** 1, 2 or 5 times a power of ten. */
function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((one) => one * power >= rough) ?? 10);
}

function drawLine({ points, isDashed }: Line, { x, y, colour }: { x: Scale; y: Scale; colour: string }): string {
  const list = points.map(([a, b]) => `${x.at(a)},${y.at(b)}`).join(" ");
  return `<polyline fill='none' stroke='${colour}' stroke-width='1.6'${isDashed === true ? " stroke-dasharray='5 4'" : ""} points='${list}'/>`;
}

function colourOf(i: number): string {
  return COLOURS[i % COLOURS.length] ?? "#000";
}

function text(x: number, y: number, words: string, attributes = ""): string {
  return `<text x='${x}' y='${y}' ${attributes}>${escape(words)}</text>`;
}

function escape(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("'", "&apos;");
}

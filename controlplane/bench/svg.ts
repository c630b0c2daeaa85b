// A chart's marks as SVG text.
import { type Mark, pageHeight, pageWidth } from "./plot.ts";

export function svgOf(marks: readonly Mark[]): string {
  const size = `width='${pageWidth}' height='${pageHeight}' viewBox='0 0 ${pageWidth} ${pageHeight}'`;
  const frame = `<svg xmlns='http://www.w3.org/2000/svg' ${size} font-family='sans-serif' font-size='13'>`;
  return `${frame}\n<rect width='100%' height='100%' fill='white'/>\n${marks.map(element).join("\n")}\n</svg>\n`;
}

function element(mark: Mark): string {
  if (mark.type === "line") {
    const points = mark.points.map(([x, y]) => `${x},${y}`).join(" ");
    const dashes = mark.isDashed ? " stroke-dasharray='6 4'" : "";
    return `<polyline fill='none' stroke='${mark.colour}' stroke-width='${mark.width}'${dashes} points='${points}'/>`;
  }
  const { x, y, words, colour, anchor, isUpward } = mark;
  const turn = isUpward ? ` transform='rotate(-90 ${x} ${y})'` : "";
  return `<text x='${x}' y='${y}' fill='${colour}' text-anchor='${anchor}'${turn}>${escapeText(words)}</text>`;
}

function escapeText(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("'", "&apos;");
}

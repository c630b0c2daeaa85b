// A chart's marks as a PNG picture.
import { crc32, deflateSync } from "node:zlib";
import { glyphAdvance, glyphHeight, glyphWidth, hasDot } from "./glyphs.ts";
import { type Mark, pageHeight, pageWidth } from "./plot.ts";

/** Pixels per unit of the page. */
const scale = 1.5;
/** Pixels per dot of a letter. */
const dotPixels = 2;
const imageWidth = pageWidth * scale;
const imageHeight = pageHeight * scale;
/** Red, green, blue. */
const channels = 3;
/** Pixels that are drawn, then left out. */
const dash = [9, 6] as const;

/** A PNG, without a library for it: `imageWidth` by `imageHeight` pixels. */
export function pngOf(marks: readonly Mark[]): Buffer {
  const picture = new Picture();
  for (const mark of marks) {
    if (mark.type === "line") drawLine(picture, mark);
    else drawWords(picture, mark);
  }
  return encode(picture.pixels);
}

type Point = readonly [x: number, y: number];
type Colour = readonly number[];

class Picture {
  readonly pixels = new Uint8Array(imageWidth * imageHeight * channels).fill(255);

  /** `part`: how much of the pixel is covered, 0 to 1. */
  paint(x: number, y: number, colour: Colour, part: number): void {
    if (x < 0 || y < 0 || x >= imageWidth || y >= imageHeight || part <= 0) return;
    const at = (y * imageWidth + x) * channels;
    for (const [i, value] of colour.entries()) {
      // Mixed with what is there: edges are smooth, and lines that cross stay visible.
      const below = this.pixels[at + i] ?? 0;
      this.pixels[at + i] = Math.round(below + (value - below) * Math.min(1, part));
    }
  }
}

function drawLine(
  picture: Picture,
  { points, colour, width, isDashed }: Mark & { readonly type: "line" },
): void {
  const scaled = points.map(([x, y]) => [x * scale, y * scale] as const);
  const ink = rgb(colour);
  // Dashes go on across the points of a line.
  let walked = 0;
  for (const [i, to] of scaled.entries()) {
    const from = scaled[i - 1];
    if (from === undefined) continue;
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
    if (isDashed)
      for (const [a, b] of dashes(from, to, walked))
        drawSegment(picture, a, b, { ink, width: width * scale });
    else drawSegment(picture, from, to, { ink, width: width * scale });
    walked += length;
  }
}

/** The drawn parts of a segment that begins `walked` along its line. */
function dashes(from: Point, to: Point, walked: number): readonly (readonly [Point, Point])[] {
  const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
  const period = dash[0] + dash[1];
  const at = (along: number): Point => [
    from[0] + ((to[0] - from[0]) * along) / length,
    from[1] + ((to[1] - from[1]) * along) / length,
  ];
  const drawn: (readonly [Point, Point])[] = [];
  for (let start = -(walked % period); start < length; start += period) {
    const [begin, end] = [Math.max(0, start), Math.min(length, start + dash[0])];
    if (end > begin) drawn.push([at(begin), at(end)]);
  }
  return drawn;
}

/** `width` in pixels. */
interface Pen {
  readonly ink: Colour;
  readonly width: number;
}

/** Covers each pixel by its distance from the segment. */
function drawSegment(picture: Picture, from: Point, to: Point, { ink, width }: Pen): void {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const square = dx * dx + dy * dy;
  const reach = width / 2 + 1;
  for (let y = Math.floor(Math.min(from[1], to[1]) - reach); y <= Math.max(from[1], to[1]) + reach; y++) {
    for (let x = Math.floor(Math.min(from[0], to[0]) - reach); x <= Math.max(from[0], to[0]) + reach; x++) {
      const [px, py] = [x + 0.5 - from[0], y + 0.5 - from[1]];
      const along = square === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / square));
      picture.paint(x, y, ink, width / 2 + 0.5 - Math.hypot(px - along * dx, py - along * dy));
    }
  }
}

function drawWords(
  picture: Picture,
  { x, y, words, colour, anchor, isUpward }: Mark & { readonly type: "words" },
): void {
  const ink = rgb(colour);
  const letters = words.split("");
  const length = letters.length * glyphAdvance * dotPixels;
  const before = anchor === "start" ? 0 : anchor === "middle" ? length / 2 : length;
  for (const [i, letter] of letters.entries()) {
    for (let column = 0; column < glyphWidth; column++) {
      for (let row = 0; row < glyphHeight; row++) {
        if (!hasDot(letter, column, row)) continue;
        const along = (i * glyphAdvance + column) * dotPixels - before;
        const above = (row - glyphHeight) * dotPixels;
        dot(
          picture,
          isUpward
            ? [x * scale + above, y * scale - along - dotPixels]
            : [x * scale + along, y * scale + above],
          ink,
        );
      }
    }
  }
}

function dot(picture: Picture, [x, y]: Point, ink: Colour): void {
  for (let i = 0; i < dotPixels * dotPixels; i++)
    picture.paint(Math.round(x) + (i % dotPixels), Math.round(y) + Math.floor(i / dotPixels), ink, 1);
}

/** `#rrggbb` */
function rgb(colour: string): Colour {
  return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
}

/** Eight bits for each of red, green and blue; no filter before a row. */
function encode(pixels: Uint8Array): Buffer {
  const rows = Buffer.alloc(imageHeight * (1 + imageWidth * channels));
  for (let y = 0; y < imageHeight; y++) {
    const row = pixels.subarray(y * imageWidth * channels, (y + 1) * imageWidth * channels);
    rows.set(row, y * (1 + imageWidth * channels) + 1);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(imageWidth, 0);
  header.writeUInt32BE(imageHeight, 4);
  header.set([8, 2], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(kind: string, content: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(kind, "latin1"), content]);
  const out = Buffer.alloc(named.length + 8);
  out.writeUInt32BE(content.length, 0);
  out.set(named, 4);
  out.writeUInt32BE(crc32(named), named.length + 4);
  return out;
}

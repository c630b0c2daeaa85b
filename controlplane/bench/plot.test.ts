import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32, inflateSync } from "node:zlib";
import { type Chart, marksOf, pageHeight, pageWidth } from "./plot.ts";
import { pngOf } from "./png.ts";
import { svgOf } from "./svg.ts";

const chart: Chart = {
  title: "Unallocated <GPUs>",
  xLabel: "arrived, %",
  yLabel: "unallocated, %",
  yMax: 40,
  lines: [
    ...Array.from({ length: 8 }, (_, i) => ({
      name: `policy${i}`,
      points: [[60, 40 - i] as const, [100, 5 + i] as const, [110, 90] as const],
    })),
    {
      name: "floor 3.65 %",
      isDashed: true,
      points: [
        [60, 3.65],
        [100, 3.65],
      ],
    },
  ],
};

test("a chart has a title, labelled axes, and a legend in which every line has its own colour and the floor is dashed", () => {
  const marks = marksOf(chart);
  const words = marks.flatMap((mark) => (mark.type === "words" ? [mark.words] : []));
  for (const said of [
    chart.title,
    chart.xLabel,
    chart.yLabel,
    ...chart.lines.map(({ name }) => name),
    "60",
    "100",
    "0",
    "40",
  ]) {
    assert.ok(words.includes(said), `${said} is one of ${words.join(", ")}`);
  }
  const swatches = marks.flatMap((mark) => (mark.type === "line" && mark.width === 3 ? [mark] : []));
  assert.equal(new Set(swatches.map(({ colour }) => colour)).size, chart.lines.length);
  assert.deepEqual(
    swatches.map(({ isDashed }) => isDashed),
    chart.lines.map(({ isDashed }) => isDashed === true),
  );
});

test("no two words of a chart lie on each other, nothing is outside the page, and what is above yMax is left out", () => {
  const marks = marksOf(chart);
  const level = marks.flatMap((mark) => (mark.type === "words" && !mark.isUpward ? [mark] : []));
  const boxes = level.map(({ x, y, words, anchor }) => {
    const width = words.length * 8;
    const left = anchor === "start" ? x : anchor === "middle" ? x - width / 2 : x - width;
    return { words, left, right: left + width, top: y - 10, foot: y };
  });
  for (const [i, a] of boxes.entries()) {
    assert.ok(
      a.left >= 0 && a.right <= pageWidth && a.top >= 0 && a.foot <= pageHeight,
      `${a.words} is on the page`,
    );
    for (const b of boxes.slice(i + 1)) {
      const overlap = a.left < b.right && b.left < a.right && a.top < b.foot && b.top < a.foot;
      assert.ok(!overlap, `"${a.words}" and "${b.words}" overlap`);
    }
  }
  const curves = marks.flatMap((mark) => (mark.type === "line" && mark.width === 1.8 ? [mark] : []));
  assert.deepEqual(
    curves.map(({ points }) => points.length),
    chart.lines.map(() => 2),
  );
});

test("an SVG is one element with its words escaped", () => {
  const svg = svgOf(marksOf(chart));
  assert.match(svg, /^<svg xmlns='http:\/\/www\.w3\.org\/2000\/svg' [^>]+>[^]*<\/svg>\n$/);
  assert.ok(svg.includes("Unallocated &lt;GPUs>") && svg.includes("stroke-dasharray"));
});

test("a PNG has sound chunks and as many pixels as its header says, coloured like the lines", () => {
  const png = pngOf(marksOf(chart));
  assert.equal(png.subarray(0, 8).toString("latin1"), "\x89PNG\r\n\x1a\n");
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const named = png.subarray(at + 4, at + 8 + length);
    assert.equal(png.readUInt32BE(at + 8 + length), crc32(named));
    chunks.set(named.toString("latin1", 0, 4), named.subarray(4));
    at += 12 + length;
  }
  assert.deepEqual([...chunks.keys()], ["IHDR", "IDAT", "IEND"]);
  const header = chunks.get("IHDR") ?? Buffer.alloc(0);
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const rows = inflateSync(chunks.get("IDAT") ?? Buffer.alloc(0));
  assert.equal(rows.length, height * (1 + 3 * width));
  const colours = new Set<string>();
  for (let at = 1; at < rows.length - 3; at += 3)
    if ((at - 1) % (1 + 3 * width) !== 3 * width) colours.add(rows.toString("hex", at, at + 3));
  for (const colour of ["ffffff", "1f77b4", "d62728", "17becf", "555555"])
    assert.ok(colours.has(colour), `${colour} is drawn`);
});

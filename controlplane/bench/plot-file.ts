// `--plot FILE`: looked at before a run that may take long, written after it.
import { accessSync, constants, statSync, writeFileSync } from "node:fs";
import { dirname, extname } from "node:path";
import { wordsOf } from "@voda/stdx";
import { BenchError, type BenchFlag, type BenchValues, text } from "@voda/stdx/bench";
import { type Chart, marksOf } from "./plot.ts";
import { pngOf } from "./png.ts";
import { svgOf } from "./svg.ts";

export const plotFlag: BenchFlag = {
  name: "plot",
  type: "text",
  description: "chart to write, FILE.svg or FILE.png; empty: none",
  default: "",
};

const formats = { ".svg": svgOf, ".png": pngOf } as const;
const isFormat = (suffix: string): suffix is keyof typeof formats => Object.hasOwn(formats, suffix);

export interface Plot {
  draw(chart: Chart): void;
}

/** @throws BenchError when the chart could not be written */
export function plotOf(values: BenchValues): Plot {
  const file = text(values, "plot");
  if (file === "") return { draw: () => undefined };
  const suffix = extname(file).toLowerCase();
  if (!isFormat(suffix))
    throw new BenchError(`--plot ${file} ends in neither ${Object.keys(formats).join(" nor ")}`);
  attempt(file, () => {
    accessSync(dirname(file), constants.W_OK);
    if (statSync(file, { throwIfNoEntry: false }) !== undefined) accessSync(file, constants.W_OK);
  });
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true)
    throw new BenchError(`--plot ${file} is a folder`);
  return { draw: (chart) => attempt(file, () => writeFileSync(file, formats[suffix](marksOf(chart)))) };
}

function attempt(file: string, step: () => void): void {
  try {
    step();
  } catch (error) {
    throw new BenchError(`--plot ${file} cannot be written: ${wordsOf(error)}`);
  }
}

// A kernel as plain JavaScript: the reference that every other device is held against, bit by bit.
import { unreachable } from "@voda/stdx";
import { type Expression, inOrder } from "./expression.ts";
import {
  type IndexedKernel,
  type Kernel,
  lanes,
  type MapKernel,
  type ProductKernel,
  type Reduction,
  type ScanKernel,
  sizesOf,
} from "./kernel.ts";

/** Arrays in order, then scalars, then the numbers that `sizesOf` names. */
export type JsFunction = (...args: readonly (Float32Array | Int32Array | number)[]) => number;

/**
 * f32 arithmetic is double arithmetic with one rounding: a double has more than twice the bits (Figueroa,
 * 1995).
 */
const operators = {
  add: (a: string, b: string) => `fround(${a} + ${b})`,
  sub: (a: string, b: string) => `fround(${a} - ${b})`,
  mul: (a: string, b: string) => `fround(${a} * ${b})`,
  div: (a: string, b: string) => `fround(${a} / ${b})`,
  min: (a: string, b: string) => `min(${a}, ${b})`,
  max: (a: string, b: string) => `max(${a}, ${b})`,
} as const;
const unaries = {
  neg: (a: string) => `-${a}`,
  abs: (a: string) => `abs(${a})`,
  sqrt: (a: string) => `fround(sqrt(${a}))`,
} as const;
/** All of them are false with NaN, as on the other devices. */
const comparisons = { lt: "<", le: "<=", eq: "===" } as const;

const join: Readonly<Record<Reduction, (a: string, b: string) => string>> = {
  sum: operators.add,
  min: operators.min,
  max: operators.max,
};
/** As text; -0 is no neutral of a sum here, because 0 is what the other devices begin with. */
const neutral: Readonly<Record<Reduction, string>> = { sum: "0", min: "Infinity", max: "-Infinity" };

/** The text of the function, for people and for `compileJs`. */
export function emitJs(kernel: Kernel): string {
  const arrays = kernel.arrays.map(arrayName);
  const parameters = [...arrays, ...kernel.scalars.map(scalarName), ...sizesOf[kernel.type]];
  const prelude = kernel.scalars.map((name) => `${scalarName(name)} = fround(${scalarName(name)});`);
  return [
    `function ${kernel.name}Kernel(${parameters.join(", ")}) {`,
    "  const { abs, fround, max, min, sqrt } = Math;",
    ...[...prelude, ...bodyOf(kernel)].map((line) => `  ${line}`),
    "}",
  ].join("\n");
}

/**
 * Names were checked when the kernel was made, so its text holds nothing that the user wrote but them and
 * numbers.
 */
export function compileJs(kernel: Kernel): JsFunction {
  // oxlint-disable-next-line typescript/no-implied-eval -- a kernel is a program; this is its compiler
  return new Function(`"use strict"; return ${emitJs(kernel)};`)() as JsFunction;
}

function bodyOf(kernel: Kernel): string[] {
  switch (kernel.type) {
    case "map":
      return [...each("n", mapBody(kernel)), "return 0;"];
    case "reduce":
      return [...reduction(kernel, "n", () => "i"), "return total;"];
    case "rows": {
      const { matrices, output } = kernel;
      const index = (array: string): string => (matrices.includes(array) ? "row * n + i" : "i");
      return [
        "for (let row = 0; row < rows; row += 1) {",
        ...reduction(kernel, "n", index).map((line) => `  ${line}`),
        `  ${arrayName(output)}[row] = total;`,
        "}",
        "return 0;",
      ];
    }
    case "scan":
      return [...scanBody(kernel), "return 0;"];
    case "indexed":
      return [...each("n", indexedBody(kernel)), "return 0;"];
    case "product":
      return [...productBody(kernel), "return 0;"];
    default:
      return unreachable(kernel);
  }
}

const each = (count: string, body: readonly string[]): string[] => [
  `for (let i = 0; i < ${count}; i += 1) {`,
  ...body.map((line) => `  ${line}`),
  "}",
];

/** As on the other devices: everything is computed before anything is stored. */
function mapBody(kernel: MapKernel): string[] {
  const { lines, nameOf } = statements(kernel.outputs.values(), () => "i");
  const stores = [...kernel.outputs].map(([array, node]) => `${arrayName(array)}[i] = ${nameOf(node)};`);
  return [...lines, ...stores];
}

function indexedBody({ tables, index, outputs }: IndexedKernel): string[] {
  const placeOf = (array: string): string => (tables.includes(array) ? "entry" : "i");
  const { lines, nameOf } = statements(outputs.values(), placeOf);
  const stores = [...outputs].map(
    ([array, node]) => `${arrayName(array)}[${placeOf(array)}] = ${nameOf(node)};`,
  );
  return [`const entry = ${arrayName(index)}[i];`, ...lines, ...stores];
}

function scanBody({ value, reduction: how, output }: ScanKernel): string[] {
  const { lines, nameOf } = statements([value], () => "i");
  const joined = `total = ${join[how]("total", nameOf(value))};`;
  const store = `${arrayName(output)}[i] = total;`;
  return [`let total = ${neutral[how]};`, ...each("n", [...lines, joined, store])];
}

function productBody({ left, right, output }: ProductKernel): string[] {
  const [a, b] = [`${arrayName(left)}[row * depth + k]`, `${arrayName(right)}[k * n + i]`];
  const sum = [
    "let total = 0;",
    `for (let k = 0; k < depth; k += 1) total = ${operators.add("total", operators.mul(a, b))};`,
    `${arrayName(output)}[row * n + i] = total;`,
  ];
  return ["for (let row = 0; row < rows; row += 1)", ...each("n", sum).map((line) => `  ${line}`)];
}

/**
 * The order that `lanes` fixes, written plainly: it is what others are held against, so it is as slow as it
 * is clear. The lanes are f32 by their array, not by their operations, which round on their own.
 */
function reduction(
  kernel: { readonly value: Expression; readonly reduction: Reduction },
  count: string,
  index: (array: string) => string,
): string[] {
  const { lines, nameOf } = statements([kernel.value], index);
  const value = nameOf(kernel.value);
  const joined = join[kernel.reduction];
  const body = lines.map((line) => `  ${line}`);
  return [
    `const lane = new Float32Array(${lanes}).fill(${neutral[kernel.reduction]});`,
    `const whole = ${count} - (${count} % ${lanes});`,
    "for (let i = 0; i < whole; i += 1) {",
    ...body,
    `  lane[i % ${lanes}] = ${joined(`lane[i % ${lanes}]`, value)};`,
    "}",
    `for (let half = ${lanes / 2}; half > 0; half >>= 1)`,
    `  for (let k = 0; k < half; k += 1) lane[k] = ${joined("lane[k]", "lane[k + half]")};`,
    "let total = lane[0];",
    `for (let i = whole; i < ${count}; i += 1) {`,
    ...body,
    `  total = ${joined("total", value)};`,
    "}",
  ];
}

/** A line for each node that is computed, and what a node is called in the lines after it. */
function statements(
  roots: Iterable<Expression>,
  index: (array: string) => string,
): { lines: string[]; nameOf: (node: Expression) => string } {
  const names = new Map<Expression, string>();
  const nameOf = (node: Expression): string => names.get(node) ?? "";
  const lines: string[] = [];
  for (const node of inOrder(roots)) {
    const text = textOf(node, nameOf, index);
    const isShort = node.type === "constant" || node.type === "scalar";
    names.set(node, isShort ? text : `t${names.size}`);
    if (!isShort) lines.push(`const ${nameOf(node)} = ${text};`);
  }
  return { lines, nameOf };
}

/** Operands are names: only `statements` decides what is computed when. */
function textOf(
  node: Expression,
  nameOf: (node: Expression) => string,
  index: (array: string) => string,
): string {
  switch (node.type) {
    case "constant":
      return Object.is(node.value, -0) || node.value < 0 ? `(${literal(node.value)})` : literal(node.value);
    case "scalar":
      return scalarName(node.name);
    case "element":
      return `${arrayName(node.array)}[${index(node.array)}]`;
    case "unary":
      return unaries[node.operator](nameOf(node.of));
    case "binary":
      return operators[node.operator](nameOf(node.left), nameOf(node.right));
    case "select": {
      const test = `${nameOf(node.left)} ${comparisons[node.comparison]} ${nameOf(node.right)}`;
      return `${test} ? ${nameOf(node.yes)} : ${nameOf(node.no)}`;
    }
    default:
      return unreachable(node);
  }
}

/** As JavaScript writes it, but for -0, whose sign `String` drops. */
const literal = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));
// So that no argument has the name of a local or of a word of the language.
const arrayName = (name: string): string => `${name}Of`;
const scalarName = (name: string): string => `${name}Is`;

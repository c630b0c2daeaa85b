// What the ratchets measure in one source file.
import { children, lineOf, type Node, type Source, walk } from "./syntax.ts";

/** A place that a person should look at, and how bad it is. */
export interface Spot {
  readonly where: string;
  readonly size: number;
}

/** Of one file. */
export interface Measures {
  readonly file: string;
  readonly longFunctions: readonly Spot[];
  /** Functions that callers can only call in the right order by heart. */
  readonly manyParameters: readonly Spot[];
  /** Exports without a comment right above them. */
  readonly undocumented: readonly Spot[];
  readonly exported: number;
  readonly wideLines: readonly Spot[];
  /** `as number` where it is a guess. */
  readonly asNumber: readonly Spot[];
  /** Of files that hold decisions; of others 0. */
  readonly codeLines: number;
  readonly commentLines: number;
}

/** Longer functions hide their steps. */
export const functionLinesMax = 70;
/** Beyond them an object names what is what; the aim is 3. */
export const parametersMax = 4;
/** As biome formats code; comments are wrapped by hand. */
export const widthMax = 110;
/** Branches from which on a file holds decisions. */
const branchesMin = 8;

const branches = new Set([
  "IfStatement",
  "SwitchCase",
  "ConditionalExpression",
  "ForStatement",
  "ForOfStatement",
  "WhileStatement",
  "LogicalExpression",
]);
const functions = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"]);

/** @param typedArrays names of typed arrays anywhere in the house */
export function measure(source: Source, typedArrays: ReadonlySet<string>): Measures {
  const { file } = source;
  const long: Spot[] = [];
  const many: Spot[] = [];
  const guessed: Spot[] = [];
  let branched = 0;
  walk(source.program, (node, [parent]) => {
    if (branches.has(node.type)) branched += 1;
    if (functions.has(node.type) && !isTestBody(file, parent)) {
      const lines = lineOf(source.text, node.end) - lineOf(source.text, node.start) + 1;
      if (lines > functionLinesMax) long.push(spot(source, node, lines));
    }
    const { length } = (node["params"] as readonly Node[] | undefined) ?? [];
    if (functions.has(node.type) && length > parametersMax) many.push(spot(source, node, length));
    if (isGuess(source, node, typedArrays)) guessed.push(spot(source, node, 1));
    return undefined;
  });
  const exports = exportsOf(source);
  return {
    file,
    longFunctions: long,
    manyParameters: many,
    asNumber: guessed,
    undocumented: exports.filter((node) => !hasDoc(source, node)).map((node) => spot(source, node, 1)),
    exported: exports.length,
    wideLines: wideLines(source),
    ...(branched >= branchesMin ? countLines(source) : { codeLines: 0, commentLines: 0 }),
  };
}

const spot = (source: Source, node: Node, size: number): Spot => ({
  where: `${source.file}:${lineOf(source.text, node.start)}`,
  size,
});

/** A test is as long as its story; its helpers are functions like any other. */
const isTestBody = (file: string, parent: Node | undefined): boolean =>
  file.endsWith(".test.ts") && parent?.type === "CallExpression";

/**
 * Names that are declared as typed arrays: an index below their length always finds a number, which the type
 * does not know.
 */
const typedArray =
  /\b(\w+)\??\s*[:=]\s*(?:readonly |new )?(?:\w+\s*\|\s*)*(?:Int|Uint|Float)\d+(?:Clamped)?Array/g;
/** Names of typed arrays in these sources. */
export const typedArraysOf = (texts: readonly string[]): ReadonlySet<string> =>
  new Set(texts.flatMap((text) => [...text.matchAll(typedArray)].flatMap(([, name]) => name ?? [])));

/** `as number` on anything but an element of a typed array. */
function isGuess({ text }: Source, node: Node, typedArrays: ReadonlySet<string>): boolean {
  if (node.type !== "TSAsExpression" || !/\bas number$/.test(text.slice(node.start, node.end))) return false;
  const name = /(\w+)\[[^\]]*\]\s+as number$/.exec(text.slice(node.start, node.end))?.[1];
  return name === undefined || !typedArrays.has(name);
}

/** Declarations under `export`; names that are passed on have their docs where they are declared. */
function exportsOf({ program }: Source): readonly Node[] {
  return (program["body"] as readonly Node[]).filter(
    (node) =>
      (node.type === "ExportNamedDeclaration" && node["declaration"] !== null) ||
      node.type === "ExportDefaultDeclaration",
  );
}

const hasDoc = ({ text, comments }: Source, node: Node): boolean =>
  comments.some(
    (comment) =>
      comment.end <= node.start &&
      text.startsWith("/**", comment.start) &&
      text.slice(comment.end, node.start).trim() === "",
  );

/**
 * Addresses, and what a person reads as one line, stay whole: breaking them makes them worse to read and to
 * search for.
 */
const unbreakable = /https?:\/\/\S+|"[^"]*"|`[^`]*`|\/[^/ ].*\/[a-z]*[,);.]/g;

function wideLines({ file, text }: Source): readonly Spot[] {
  return text.split("\n").flatMap((line, at) => {
    const rest = line.replace(unbreakable, (piece) => (piece.length > widthMax / 4 ? "" : piece));
    const isExempt = rest.length < line.length && rest.length <= widthMax;
    return line.length > widthMax && !isExempt ? [{ where: `${file}:${at + 1}`, size: line.length }] : [];
  });
}

/** What can owe a reason: not imports, nor plain data, which both say all there is to them. */
function countLines({ text, program, comments }: Source): { codeLines: number; commentLines: number } {
  const commented = linesOf(text, comments);
  const plain: Node[] = [];
  walk(program, (node) => {
    if (node.type !== "ImportDeclaration" && !isData(node)) return undefined;
    plain.push(node);
    return false;
  });
  const owesNothing = linesOf(text, plain);
  const lines = text.split("\n");
  const isOnlyComment = (at: number): boolean =>
    commented.has(at + 1) && /^\s*(\/\/|\/\*|\*)/.test(lines[at] ?? "");
  const filled = lines.flatMap((line, at) => (line.trim() === "" ? [] : [at]));
  const codeLines = filled.filter((at) => !isOnlyComment(at) && !owesNothing.has(at + 1)).length;
  return { codeLines, commentLines: commented.size };
}

/** Lines that these nodes touch, from 1. */
function linesOf(text: string, nodes: readonly Node[]): ReadonlySet<number> {
  const found = new Set<number>();
  for (const { start, end } of nodes)
    for (let line = lineOf(text, start); line <= lineOf(text, end - 1); line += 1) found.add(line);
  return found;
}

/** An object or a list of literals. */
const isData = (node: Node): boolean =>
  (node.type === "ObjectExpression" || node.type === "ArrayExpression") &&
  children(node).every((child) => isLiteral(child.type === "Property" ? (child["value"] as Node) : child));

const isLiteral = (node: Node): boolean => node.type === "Literal" || isData(node);

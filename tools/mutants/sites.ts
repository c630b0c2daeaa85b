// Small breaks of a source file: what a slip of the pen could have left there.
import { isNode, lineOf, type Node, parse, type Source, walk } from "../syntax.ts";

/** One break: a piece of the text and what stands there instead. */
export interface Mutant {
  readonly file: string;
  readonly line: number;
  readonly start: number;
  readonly end: number;
  readonly replace: string;
  /** For people, and to know it again when lines have moved. */
  readonly change: string;
}

const operators: Readonly<Record<string, string>> = {
  "<": "<=",
  "<=": "<",
  ">": ">=",
  ">=": ">",
  "===": "!==",
  "!==": "===",
  "+": "-",
  "-": "+",
  "*": "+",
  "/": "*",
  "%": "*",
  "&&": "||",
  "||": "&&",
  "??": "&&",
  "&": "|",
  "|": "&",
  "<<": ">>>",
  ">>>": "<<",
  "+=": "-=",
  "-=": "+=",
};
const operated = new Set(["BinaryExpression", "LogicalExpression", "AssignmentExpression"]);
/**
 * Assertions crash on our own bugs and logs tell people: without them nothing that a test may see changes.
 */
const unseen = /^(?:assert\w*|(?:\w+\.)*log\w*\.\w+)\(/;
/** What no code after types are stripped contains. */
const isType = (node: Node): boolean =>
  node.type.startsWith("TS") && !/^TS(As|Satisfies|NonNull)Expression$/.test(node.type);

/** All breaks of a file, in the order of its text. */
export function mutantsOf(file: string): readonly Mutant[] {
  const source = parse(file);
  const found: Mutant[] = [];
  walk(source.program, (node, ancestors) => {
    // What an error says is read by people; that it is thrown is what tests see.
    if (isType(node) || node.type === "ImportDeclaration" || node.type === "ThrowStatement") return false;
    if (unseen.test(source.text.slice(node.start, node.end)) && node.type === "ExpressionStatement")
      return false;
    found.push(...breaks(source, node, ancestors));
    return undefined;
  });
  return found.toSorted((a, b) => a.start - b.start);
}

function breaks(source: Source, node: Node, ancestors: readonly Node[]): readonly Mutant[] {
  const made = (at: { start: number; end: number }, replace: string): Mutant => ({
    file: source.file,
    line: lineOf(source.text, at.start),
    start: at.start,
    end: at.end,
    replace,
    change: `${oneLine(source.text.slice(at.start, at.end))} -> ${oneLine(replace) || "nothing"}`,
  });
  const text = (part: Node): string => source.text.slice(part.start, part.end);
  const { type } = node;
  if (operated.has(type)) return operator(source, node, made);
  if (type === "IfStatement" && isNode(node["test"])) return condition(node["test"], node, text, made);
  if (type === "ConditionalExpression" && isNode(node["consequent"]) && isNode(node["alternate"])) {
    const branches = { start: node["consequent"].start, end: node["alternate"].end };
    return [made(branches, `${text(node["alternate"])} : ${text(node["consequent"])}`)];
  }
  if (type === "ExpressionStatement" && node["directive"] === undefined) return [made(node, ";")];
  if (type === "UnaryExpression" && node["operator"] === "!" && isNode(node["argument"]))
    return [made(node, text(node["argument"]))];
  if (type === "ContinueStatement" || type === "BreakStatement")
    return ancestors[0]?.type === "SwitchCase" ? [] : [made(node, ";")];
  if (type === "Literal") return literal(node, ancestors, made);
  return [];
}

type Make = (at: { start: number; end: number }, replace: string) => Mutant;

function operator(source: Source, node: Node, made: Make): readonly Mutant[] {
  const [left, right, sign] = [node["left"], node["right"], String(node["operator"])];
  const other = operators[sign];
  if (other === undefined || !isNode(left) || !isNode(right)) return [];
  // Joined text is no number: `-` would be found by the first test that reads it, and says nothing.
  const isText = [left, right].some(
    ({ type, value }) => type === "TemplateLiteral" || typeof value === "string",
  );
  if (isText && sign === "+") return [];
  const at = source.text.indexOf(sign, left.end);
  const { start, end } = node;
  // With what stands around it: a line may have the same operator twice.
  const change = `${oneLine(source.text.slice(start, end))}: ${sign} -> ${other}`;
  return [{ ...made({ start: at, end: at + sign.length }, other), change }];
}

/**
 * Turned round where no operator of it is broken anyway, and never true; an `else` makes the two much the
 * same.
 */
function condition(test: Node, node: Node, text: (part: Node) => string, made: Make): readonly Mutant[] {
  const isBroken = test.type === "BinaryExpression" || test.type === "UnaryExpression";
  return [
    ...(isBroken ? [] : [made(test, `!(${text(test)})`)]),
    ...(node["alternate"] === null ? [made(test, "false")] : []),
  ];
}

function literal(node: Node, ancestors: readonly Node[], made: Make): readonly Mutant[] {
  if (typeof node["value"] === "boolean") return [made(node, String(!node["value"]))];
  // A named constant of a module is a choice, not a rule: tests use its name.
  const isChoice = ancestors.every(({ type }) => !/Function/.test(type));
  // The first size of a buffer that grows.
  const isSize = ancestors[0]?.type === "NewExpression";
  const isKey = ancestors[0]?.type === "Property" && ancestors[0]["key"] === node;
  if (typeof node["value"] !== "number" || isChoice || isSize || isKey) return [];
  return [made(node, node["value"] === 0 ? "1" : `(${String(node["value"])} + 1)`)];
}

const textMax = 60;
const oneLine = (text: string): string => {
  const line = text.replace(/\s+/g, " ").trim();
  return line === ";" ? "" : line.length > textMax ? `${line.slice(0, textMax)}...` : line;
};

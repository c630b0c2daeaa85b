// What a kernel computes for one element: a tree of f32 operations. Every operation rounds to f32, on every
// device.

import { unreachable } from "@voda/stdx";

/** `min` and `max` are those of IEEE 754-2019 minimum and maximum: NaN when either is NaN, -0 below 0. */
export type BinaryOperator = "add" | "sub" | "mul" | "div" | "min" | "max";
/** `sqrt` of a negative number is NaN. */
export type UnaryOperator = "neg" | "abs" | "sqrt";
/** `eq` holds for -0 and 0. */
export type Comparison = "lt" | "le" | "eq";

/** One value of type f32. A node that is used twice is computed once. */
export type Expression =
  | { readonly type: "constant"; readonly value: number }
  /** An argument that is the same for all elements. */
  | { readonly type: "scalar"; readonly name: string }
  /** The element of an array at the index that the kernel is at. */
  | { readonly type: "element"; readonly array: string }
  | { readonly type: "unary"; readonly operator: UnaryOperator; readonly of: Expression }
  | {
      readonly type: "binary";
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  /** `yes` where the comparison holds, else `no`; both are computed. A comparison with NaN does not hold. */
  | {
      readonly type: "select";
      readonly comparison: Comparison;
      readonly left: Expression;
      readonly right: Expression;
      readonly yes: Expression;
      readonly no: Expression;
    };

/** A number in an expression is a constant, rounded to f32. */
export type Operand = Expression | number;

const nodeOf = (operand: Operand): Expression =>
  typeof operand === "number" ? { type: "constant", value: Math.fround(operand) } : operand;
const binary =
  (operator: BinaryOperator) =>
  (left: Operand, right: Operand): Expression => ({
    type: "binary",
    operator,
    left: nodeOf(left),
    right: nodeOf(right),
  });
const unary =
  (operator: UnaryOperator) =>
  (of: Operand): Expression => ({ type: "unary", operator, of: nodeOf(of) });

/** left + right, rounded to f32 */
export const add = binary("add");
/** left - right, rounded to f32 */
export const sub = binary("sub");
/** left * right, rounded to f32: never fused with an addition, so that all devices agree */
export const mul = binary("mul");
/** left / right, rounded to f32; infinite or NaN for a right of 0 */
export const div = binary("div");
/** The smaller one; NaN when either is NaN. */
export const min = binary("min");
/** The larger one; NaN when either is NaN. */
export const max = binary("max");
/** The other sign, also of 0. */
export const neg = unary("neg");
/** Without its sign. */
export const abs = unary("abs");
/** The square root, rounded to f32; NaN for what is below 0. */
export const sqrt = unary("sqrt");

/** `yes` where `left` compares so with `right`, else `no`. */
export function select(
  [left, comparison, right]: readonly [Operand, Comparison, Operand],
  yes: Operand,
  no: Operand,
): Expression {
  return {
    type: "select",
    comparison,
    left: nodeOf(left),
    right: nodeOf(right),
    yes: nodeOf(yes),
    no: nodeOf(no),
  };
}

/** The nodes that a node needs. */
export function operandsOf(node: Expression): readonly Expression[] {
  switch (node.type) {
    case "unary":
      return [node.of];
    case "binary":
      return [node.left, node.right];
    case "select":
      return [node.left, node.right, node.yes, node.no];
    case "constant":
    case "scalar":
    case "element":
      return [];
    default:
      return unreachable(node);
  }
}

/**
 * Every node below `roots` once, operands before who needs them: the order in which a device computes them.
 */
export function inOrder(roots: Iterable<Expression>): Expression[] {
  const seen = new Set<Expression>();
  const visit = (node: Expression): void => {
    if (seen.has(node)) return;
    for (const operand of operandsOf(node)) visit(operand);
    seen.add(node);
  };
  for (const root of roots) visit(root);
  return [...seen];
}

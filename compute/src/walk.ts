// How a function of WebAssembly goes over arrays and computes expressions there: rounds of four vectors of
// four elements, then what is left one by one.
import { type Expression, inOrder } from "./expression.ts";
import { lanes } from "./kernel.ts";
import type { Draft } from "./wasm/draft.ts";
import { access, at, f32, type Instruction, i32, op, type PlainName } from "./wasm/instruction.ts";

/** Of one f32. */
export const elementBytes = 4;
/** Of one v128: four elements. */
export const vectorBytes = 16;
const roundBytes = lanes * elementBytes;
/** Vectors of one round: a reduction keeps a partial result for each, so that their additions overlap. */
export const unroll = roundBytes / vectorBytes;

/** How many elements are computed at a time: one or four. */
export interface Width {
  readonly type: "f32" | "v128";
  readonly prefix: "f32" | "f32x4";
}
export const one: Width = { type: "f32", prefix: "f32" };
export const four: Width = { type: "v128", prefix: "f32x4" };

/** Goes over arrays at the same pace: a pointer for each, moved on by rounds, then by elements. */
export interface Walk {
  /** From the arrays' beginnings, over as many elements as the local `count` says. */
  readonly start: (count: number) => void;
  /** `step` writes what is done with one vector at this offset from the pointers. */
  readonly rounds: (step: (offset: number) => void) => void;
  readonly rest: (step: () => void) => void;
  readonly pointer: (array: string) => number;
  /** Computes these values; `push` then leaves one of them on the stack. */
  readonly compute: (values: readonly Expression[], width: Width, offset: number) => void;
  readonly push: (node: Expression, width: Width) => void;
}

export function createWalk(draft: Draft, arrays: readonly string[], values: readonly Expression[]): Walk {
  const pointers = new Map(arrays.map((array) => [array, draft.local("i32")]));
  const [first = -1] = pointers.values();
  const [roundsEnd, end] = [draft.local("i32"), draft.local("i32")];
  const nodes = createNodes(draft, values, (array) => pointers.get(array) ?? -1);
  const advance = (bytes: number): void => {
    for (const pointer of pointers.values()) draft.advance(pointer, i32(bytes));
  };
  return {
    ...nodes,
    pointer: (array) => pointers.get(array) ?? -1,
    start(count) {
      for (const [array, pointer] of pointers)
        draft.add(at("local.get", draft.of(array)), at("local.set", pointer));
      const bytes = (of: readonly Instruction[]): Instruction[] => [
        at("local.get", first),
        ...of,
        op("i32.add"),
      ];
      // Counts are below 2^30, so bytes fit in 32 bits. Rounds cover the largest multiple of `lanes`.
      const elements = [at("local.get", count)];
      draft.add(...bytes([...elements, i32(2), op("i32.shl")]), at("local.set", end));
      draft.add(
        ...bytes([...elements, i32(-lanes), op("i32.and"), i32(2), op("i32.shl")]),
        at("local.set", roundsEnd),
      );
    },
    // The same pointers serve all vectors of a round: their distance is an immediate of the load.
    rounds(step) {
      draft.while(first, roundsEnd, () => {
        for (let offset = 0; offset < roundBytes; offset += vectorBytes) step(offset);
        advance(roundBytes);
      });
    },
    rest(step) {
      draft.while(first, end, () => {
        step();
        advance(elementBytes);
      });
    },
  };
}

/** A local for each node and width. What is the same for all elements is spread over a vector once, here. */
export function createNodes(
  draft: Draft,
  values: readonly Expression[],
  pointer: (array: string) => number,
): Pick<Walk, "compute" | "push"> {
  const all = inOrder(values);
  const locals = { f32: new Map<Expression, number>(), v128: new Map<Expression, number>() };
  const isFixed = ({ type }: Expression): boolean => type === "constant" || type === "scalar";
  // What differs from element to element never gets here: that would be a mistake of this file.
  const fixed = (node: Expression): Instruction => {
    if (node.type === "constant") return f32(node.value);
    if (node.type === "scalar") return at("local.get", draft.of(node.name));
    throw new RangeError(`a ${node.type} differs from element to element`);
  };
  // Locals are used again for every vector of a round: the compiler of the engine renames them.
  for (const node of all) {
    locals.v128.set(node, draft.local("v128"));
    if (isFixed(node))
      draft.add(fixed(node), op("f32x4.splat"), at("local.set", locals.v128.get(node) ?? -1));
    else locals.f32.set(node, draft.local("f32"));
  }
  const push = (node: Expression, width: Width): void =>
    draft.add(
      width === one && isFixed(node) ? fixed(node) : at("local.get", locals[width.type].get(node) ?? -1),
    );
  const compute: Walk["compute"] = (roots, width, offset) => {
    for (const node of inOrder(roots)) {
      if (isFixed(node)) continue;
      computeNode(draft, node, width, { offset, pointer, push });
      draft.add(at("local.set", locals[width.type].get(node) ?? -1));
    }
  };
  return { compute, push };
}

/** Where a node is computed: how far from the pointers, and how its operands get onto the stack. */
interface Place {
  readonly offset: number;
  readonly pointer: (array: string) => number;
  readonly push: (node: Expression, width: Width) => void;
}

/** Leaves the value of a node on the stack; those that it needs are in their locals. */
function computeNode(draft: Draft, node: Expression, width: Width, { offset, pointer, push }: Place): void {
  const name = (suffix: string): PlainName => `${width.prefix}.${suffix}` as PlainName;
  switch (node.type) {
    case "element":
      draft.add(at("local.get", pointer(node.array)), access(`${width.type}.load`, offset));
      return;
    case "unary":
      push(node.of, width);
      draft.add(op(name(node.operator)));
      return;
    case "binary":
      push(node.left, width);
      push(node.right, width);
      draft.add(op(name(node.operator)));
      return;
    case "select":
      for (const operand of [node.yes, node.no, node.left, node.right]) push(operand, width);
      draft.add(op(name(node.comparison)), op(width === one ? "select" : "v128.bitselect"));
      return;
    case "constant":
    case "scalar":
      throw new RangeError(`a ${node.type} is not computed`);
  }
}

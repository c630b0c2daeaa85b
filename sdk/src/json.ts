// What can be a value in the state, an input or an answer.

export type { Json } from "@voda/proto/fields";

/** Deeper values are refused; a cycle is deeper than anything. */
const depthMax = 64;

/** Why a value is not JSON, or `undefined`. */
export function jsonProblem(value: unknown, path = "it", depth = 0): string | undefined {
  if (value === null || typeof value === "string" || typeof value === "boolean") return undefined;
  if (typeof value === "number") return Number.isFinite(value) ? undefined : `${path} is ${value}`;
  if (typeof value !== "object") return `${path} is of type ${typeof value}`;
  if (depth >= depthMax) return `${path} is nested deeper than ${depthMax}`;
  if (Array.isArray(value))
    return firstProblem(
      Array.from(value, (item, i) => [`${path}[${i}]`, item]),
      depth,
    );
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return `${path} is not a plain object`;
  return firstProblem(
    Object.entries(value).map(([name, item]) => [`${path}.${name}`, item]),
    depth,
  );
}

function firstProblem(items: readonly (readonly [string, unknown])[], depth: number): string | undefined {
  for (const [path, item] of items) {
    const problem = jsonProblem(item, path, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

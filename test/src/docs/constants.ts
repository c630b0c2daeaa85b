// Constants of the sources, read from their text: also those that no module exports.
import { globSync } from "node:fs";
import { runInNewContext } from "node:vm";
import { read, root } from "./documents.ts";

/** A product's source, but for its tests and benches. */
export const sources = (): string[] =>
  globSync("{cli,compute,controlplane,dataplane,envoy,net,proto,sdk,state,stdx}/src/**/*.ts", {
    cwd: root,
  }).filter((path) => !path.endsWith(".test.ts"));

const declaration = /^(?:export )?const (\w+) = ([\w\s*+-]+);$/gm;

/** The values that constants of this name have: most are one file's. */
export function constantsOf(paths: readonly string[]): ReadonlyMap<string, ReadonlySet<number>> {
  const found = new Map<string, Set<number>>();
  for (const path of paths) {
    const own: Record<string, number> = {};
    for (const [, name = "", expression = ""] of read(path).matchAll(declaration)) {
      const value = valueOf(expression, own);
      if (value === undefined) continue;
      own[name] = value;
      found.set(name, (found.get(name) ?? new Set()).add(value));
    }
  }
  return found;
}

/** Of what is a number, or is computed of those before it in its file. */
function valueOf(expression: string, own: Readonly<Record<string, number>>): number | undefined {
  const names = expression.match(/[a-z]\w*/gi) ?? [];
  return names.every((name) => name in own) ? Number(runInNewContext(expression, { ...own })) : undefined;
}

/** Limits that refusals and logs name with their values, as in `exceeds turnBytesMax ${turnBytesMax}`. */
export function limitsNamed(paths: readonly string[]): Set<string> {
  const named = /\b(\w+Max)(?: is)? \$\{\1\}|as many as (\w+Max) allows/g;
  return new Set(
    paths.flatMap((path) =>
      [...read(path).matchAll(named)].map(([, beside, allowing]) => beside ?? allowing ?? ""),
    ),
  );
}

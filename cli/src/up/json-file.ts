import { readFileSync } from "node:fs";
import * as v from "valibot";

/**
 * What a file of ours says; `undefined` when it is missing, or a crash or a full disk left something else in
 * its place.
 */
export function readJsonFile<S extends v.GenericSchema>(
  path: string,
  schema: S,
): v.InferOutput<S> | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), text);
  return result.success ? result.output : undefined;
}

// Where voda's own programs are. `programs.json` is the one list of them, for this file, `npm run pack` and
// the search for dead code: sources in the workspace; in the published package a file of the name, beside
// this one, made of each. (A config stays source: `voda up` compiles it.)
import { existsSync } from "node:fs";
import { extname, relative } from "node:path";
import { fileURLToPath } from "node:url";
import list from "./programs.json" with { type: "json" };

/** A name in `programs.json`. */
export type ProgramName = keyof typeof list;
/** Of each program its source, from the top of the workspace. */
export const sources: Readonly<Record<ProgramName, string>> = list;
/** Where each program is, as absolute paths. */
export type Programs = Readonly<Record<ProgramName, string>>;

const isWorkspace = existsSync(new URL("./programs.ts", import.meta.url));

/** The agents of the examples, which benches run, and the editing history that comes with them. */
export const examples = {
  config: inExamples("voda.config.ts"),
  trace: inExamples("editor/trace.json.gz"),
};

/** As people who look at it from here would name it. */
function inExamples(path: string): string {
  const folder = new URL(isWorkspace ? "../../examples/" : "../examples/", import.meta.url);
  return relative(".", fileURLToPath(new URL(path, folder)));
}

/** The file of a program in the published package. */
export function publishedName(name: string, source: string): string {
  return source.endsWith(".config.ts") ? `${name}.config${extname(source)}` : `${name}.js`;
}

/** Sources in the workspace, built files where voda is installed. */
export function programs(): Programs {
  const at = ([name, source]: [string, string]): [string, string] => {
    const path = isWorkspace ? `../../${source}` : `./${publishedName(name, source)}`;
    return [name, fileURLToPath(new URL(path, import.meta.url))];
  };
  return Object.fromEntries(Object.entries(sources).map(at)) as Programs;
}

// One ESM file from a config and all it imports, but what the node provides and what Node has built in.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { sourceScheme } from "@voda/proto/wire";
import type { OutputChunk, RolldownError } from "rolldown";
import { isProvided } from "voda/definition";
import { CliError, exitCodes } from "../failure.ts";
import { protobufProblem } from "./protobuf.ts";
import { Places, type Stays } from "./stays.ts";

/** What is deployed: a revision is immutable, the same sources give the same one. */
export interface Bundle {
  /**
   * With a source map that names the user's files relative to the config's folder: nodes then log
   * `agents/chat.ts:12:5`.
   */
  readonly code: string;
  /** SHA-256 of the code, lower-case hex: the same sources give the same, on every machine. */
  readonly revision: string;
  /** With a source map that names them by their URLs on this machine. */
  readonly debugCode: string;
  readonly stays: Stays;
}

/** Looked for in the folder of the command. */
export const configName = "voda.config.ts";

/** @throws CliError with file and line for what does not compile */
export async function bundleConfig(config: string): Promise<Bundle> {
  if (!existsSync(config))
    throw new CliError(
      `no ${config}; write one (export default defineConfig({ agents: [...] })), or name another with --config`,
      exitCodes.usage,
    );
  const first = new Places(config);
  const bundle = await build(config, first);
  // What the first build has found out about packages is what the second one is told.
  return first.isComplete ? bundle : build(config, new Places(config, first.outside));
}

async function build(config: string, places: Places): Promise<Bundle> {
  // Its native part takes as long to load as all other commands together, and they do without it.
  const { rolldown } = await import("rolldown");
  await using bundler = await rolldown(inputOptions(config, places));
  const folder = dirname(resolve(config));
  try {
    const { output } = await bundler.generate({
      format: "esm",
      codeSplitting: false,
      sourcemap: "hidden",
      sourcemapExcludeSources: true,
      sourcemapPathTransform: (source, mapPath) =>
        relative(folder, resolve(dirname(mapPath), source)).replaceAll("\\", "/"),
    });
    const [chunk] = output;
    const isKnown = (name: string): boolean =>
      isProvided(name) || isBuiltin(name) || /^file:|^[/\\]/.test(name);
    const strange = chunk.imports.find((name) => !isKnown(name));
    if (places.isComplete && strange !== undefined) {
      const importer = relative(".", places.importerOf(strange) ?? config);
      const words = `${importer} imports ${JSON.stringify(strange)}, which is not installed`;
      throw new CliError(`${words}: npm install ${strange}`);
    }
    const problem = chunk.imports.some((name) => name.startsWith("@bufbuild/"))
      ? protobufProblem(config)
      : undefined;
    if (problem !== undefined) throw new CliError(problem);
    const code = withMap(chunk, (source) => `${sourceScheme}${source}`);
    return {
      code,
      revision: createHash("sha256").update(code).digest("hex"),
      stays: places.stays(),
      debugCode: withMap(chunk, (source) => pathToFileURL(resolve(folder, source)).href),
    };
  } catch (error) {
    throw error instanceof CliError ? error : compileError(error);
  }
}

function withMap({ code, map }: Pick<OutputChunk, "code" | "map">, name: (source: string) => string): string {
  const named = { ...map, sources: (map?.sources ?? []).map(name) };
  const base64 = Buffer.from(JSON.stringify(named)).toString("base64");
  return `${code}\n//# sourceMappingURL=data:application/json;base64,${base64}\n`;
}

/** What the bundler and its watcher are told. */
export function inputOptions(config: string, places = new Places(config)) {
  return {
    input: config,
    cwd: dirname(config),
    plugins: [places.plugin()],
    platform: "node" as const,
    external: (id: string): boolean => isProvided(id) || isBuiltin(id),
    logLevel: "silent" as const, // what matters is thrown
    // no paths in comments: they would change the revision
    experimental: { attachDebugInfo: "none" as const },
  };
}

/** Tells the first of the errors, by file and line. */
function compileError(error: unknown): unknown {
  const first =
    error instanceof Error && "errors" in error && Array.isArray(error.errors) ? error.errors[0] : undefined;
  if (first === undefined) return error;
  const { message, loc, id } = first as RolldownError;
  const what = message.split("\n")[0]?.replace(/^\[(\w+)\] /, "");
  // An error of a module as a whole has no place in it.
  const file = loc?.file ?? id;
  const where =
    file === undefined
      ? ""
      : `${relative(".", file)}${loc === undefined ? "" : `:${loc.line}:${loc.column + 1}`}: `;
  return new CliError(`${where}${what}`, 1, { cause: error });
}

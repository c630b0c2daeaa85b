// The programs of voda that tests start, each made one file: to find and to read the hundreds that they are
// written in is most of what a start takes.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Plugin, rolldown } from "rolldown";

const listFile = resolve("cli/src/programs.json");
/**
 * The others stay as they are: beside code of users, which is loaded by them, packages are found where these
 * sources are.
 */
const names = ["cli", "controlplane", "node"] as const;
/** Within the workspace: packages that are not built in are found from here. */
const folder = resolve(".voda/programs");

/** What lies beside a source is found where it is; the programs start each other as they are built. */
const places: Plugin = {
  name: "places",
  load: (id) => (id === listFile ? programList() : null),
  transform(code, id) {
    if (id.includes("/node_modules/")) return null;
    return code
      .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(id).href))
      .replaceAll("import.meta.dirname", JSON.stringify(dirname(id)));
  },
};

const sources: Readonly<Record<string, string>> = JSON.parse(readFileSync(listFile, "utf8"));

/** In the words of `programs()`: from the top of the workspace. */
function programList(): string {
  return JSON.stringify({
    ...sources,
    ...Object.fromEntries(names.map((name) => [name, `.voda/programs/${name}.js`])),
  });
}

/** Builds them; the kit starts them in all tests that are run from here on. */
export async function buildPrograms(): Promise<void> {
  await using build = await rolldown({
    input: Object.fromEntries(names.map((name) => [name, resolve(sources[name] ?? name)])),
    platform: "node",
    // It has binaries of its own.
    external: (id) => isBuiltin(id) || id === "rolldown",
    plugins: [places],
  });
  const { output } = await build.generate({
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "shared-[hash].js",
  });
  mkdirSync(folder, { recursive: true });
  for (const file of output) if (file.type === "chunk") keep(join(folder, file.fileName), file.code);
  process.env["VODA_TEST_PROGRAMS"] = folder;
}

/** What is as it was is left alone: somebody may be starting it. */
function keep(path: string, code: string): void {
  if (!existsSync(path) || readFileSync(path, "utf8") !== code) writeFileSync(path, code);
}

// The programs of voda that tests start, each made one file: to find and to read the hundreds that they are
// written in is most of what a start takes.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Plugin, rolldown } from "rolldown";

const listFile = resolve("cli/src/programs.json");
const names = ["cli", "controlplane", "node"] as const;
/** What code of users imports too: a thread has it once. */
const shared = /^(voda|@voda\/proto|@bufbuild)(\/|$)/;
/** Within the workspace: packages that are not built in are found from here. */
const folder = resolve(".voda/programs");
const worker = pathToFileURL(join(folder, "worker.js")).href;

/** What lies beside a source is found where it is; the programs start each other as they are built. */
const places: Plugin = {
  name: "places",
  load: (id) => (id === listFile ? programList() : null),
  transform(code, id) {
    if (id.includes("/node_modules/")) return null;
    return code
      .replace(/(?<=new Worker\()new URL\("[\w./]+\/worker\.ts", import\.meta\.url\)/, `new URL("${worker}")`)
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
  await build(names, (id) => id === "rolldown"); // it has binaries of its own
  await build(["worker"], (id) => shared.test(id));
  process.env["VODA_TEST_PROGRAMS"] = folder;
}

async function build(programs: readonly string[], isOutside: (id: string) => boolean): Promise<void> {
  await using bundler = await rolldown({
    input: Object.fromEntries(programs.map((name) => [name, resolve(sources[name] ?? name)])),
    platform: "node",
    external: (id) => isBuiltin(id) || isOutside(id),
    plugins: [places],
  });
  const { output } = await bundler.generate({
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "shared-[hash].js",
  });
  mkdirSync(folder, { recursive: true });
  for (const file of output) if (file.type === "chunk") keep(join(folder, file.fileName), file.code);
}

/** What is as it was is left alone: somebody may be starting it. */
function keep(path: string, code: string): void {
  if (!existsSync(path) || readFileSync(path, "utf8") !== code) writeFileSync(path, code);
}

// npm run pack: writes voda-<version>.tgz, the one package that users install: the SDK, its types, and the
// programs.
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { type OutputChunk, type Plugin, rolldown } from "rolldown";
import { publishedName, sources } from "../programs.ts";
import { copyDocuments, documentFolders } from "./documents.ts";

/** A config is compiled by `voda up` where it runs: bundled here, its imports would be resolved here. */
const isCompiled = (source: string): boolean => !source.endsWith(".config.ts");

/** Files of `dist`: the zones of the SDK, then the programs. */
const entries: Readonly<Record<string, string>> = {
  index: "sdk/src/index.ts",
  definition: "sdk/src/definition.ts",
  client: "sdk/src/client.ts",
  config: "sdk/src/config.ts",
  testing: "sdk/src/testing.ts",
  ...Object.fromEntries(Object.entries(sources).filter(([, source]) => isCompiled(source))),
};
/** As in the `exports` of the SDK. */
const zones = {
  ".": "index",
  "./definition": "definition",
  "./client": "client",
  "./config": "config",
  "./testing": "testing",
};
/**
 * Packages of which npm warns who installs us, inside our files: they ask for a newer Node than ours does, or
 * bring another one (protobufjs, of grpc-js) that runs a script when it is installed.
 */
const warnedOf = /^(@connectrpc\/|@nats-io\/|@grpc\/|commander$)/;
/**
 * What they import themselves is no dependency of ours; but of the protobuf library there must be one copy,
 * and the loader of grpc-js is for files of its own kind (channelz), which nobody here reads.
 */
const staysOutside = /^(@bufbuild\/|@grpc\/proto-loader$)/;
const isInlined = (id: string, importer: string): boolean =>
  !staysOutside.test(id) &&
  (warnedOf.test(id) || warnedOf.test(importer.split("/node_modules/").at(-1) ?? ""));
/** Our rooms, and the SDK by the name that users import it by. */
const ours = /^(@voda\/|voda($|\/))/;

interface Manifest {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const readManifest = (path: string): Manifest & Readonly<Record<string, unknown>> =>
  JSON.parse(readFileSync(path, "utf8"));

/** `new URL("./worker.ts", import.meta.url)` names a program; in `dist` all programs lie side by side. */
const programUrls: Plugin = {
  name: "program-urls",
  transform: (code) =>
    code.replaceAll(
      /new Worker\(new URL\("\.[\w./-]*\/([\w-]+)\.ts", import\.meta\.url\)/g,
      (_, name: string) => {
        // Else the tarball would name a file that is not in it, and the first worker would fail.
        if (!(name in entries))
          throw new Error(`${name}.ts runs in a worker and is not in cli/src/programs.json`);
        return `new Worker(new URL("./${name}.js", import.meta.url)`;
      },
    ),
};

/** Beside the sources nothing is written but the tarball. */
const folder = mkdtempSync(join(tmpdir(), "voda-pack-"));
try {
  const chunks = await bundlePrograms(join(folder, "dist"));
  const command = await bundleCommand(join(folder, "dist/cli.js"));
  writeTypes(join(folder, "types"));
  copyFileSync("cli/src/binaries/requirements.txt", join(folder, "dist/requirements.txt"));
  for (const [name, source] of Object.entries(sources))
    if (!isCompiled(source)) copyFileSync(source, join(folder, "dist", publishedName(name, source)));
  mkdirSync(join(folder, "bin"));
  copyFileSync("sdk/bin/voda.mjs", join(folder, "bin/voda.mjs"));
  copyFileSync("LICENSE", join(folder, "LICENSE"));
  copyDocuments(folder);
  writeFileSync(
    join(folder, "NOTICE"),
    `${readFileSync("NOTICE", "utf8")}\n${readFileSync("envoy/NOTICE", "utf8")}${licences([...chunks, ...command])}`,
  );
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest([...chunks, ...command]), null, 2));
  // npm itself decides what is in: the tarball is what `npm publish` would send.
  execute("npm", ["pack", "--silent", "--pack-destination", resolve("."), folder]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function execute(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: "inherit" });
}

/** Our rooms become a few files; packages of others stay imports and become dependencies. */
async function bundlePrograms(outDir: string): Promise<readonly OutputChunk[]> {
  const programs = Object.entries(entries).filter(([name]) => name !== "cli");
  await using build = await rolldown({
    input: Object.fromEntries(programs.map(([name, file]) => [name, resolve(file)])),
    platform: "node",
    external: (id, importer) =>
      isBuiltin(id) || (/^[@\w]/.test(id) && !ours.test(id) && !isInlined(id, importer ?? "")),
    plugins: [programUrls],
  });
  const { output } = await build.write({
    dir: outDir,
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "shared-[hash].js",
  });
  return output.filter((one) => one.type === "chunk");
}

/**
 * The command is one file with all that it loads at its start: the hundreds of small files of its packages
 * take most of the time of a short command. The bundler stays a package, loaded when something is bundled.
 */
async function bundleCommand(file: string): Promise<readonly OutputChunk[]> {
  await using build = await rolldown({
    input: resolve(sources.cli),
    platform: "node",
    // It has binaries of its own, for each platform.
    external: (id) => isBuiltin(id) || id === "rolldown",
    plugins: [programUrls],
  });
  const { output } = await build.write({ file, format: "esm", codeSplitting: false });
  return output.filter((one) => one.type === "chunk");
}

/** The licences of packages that are in a file of ours. */
function licences(chunks: readonly OutputChunk[]): string {
  const folders = chunks.flatMap(({ moduleIds }) =>
    moduleIds.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []),
  );
  // In one order, so that the same packages give the same tarball.
  const texts = [...new Set(folders)].toSorted().map((path) => {
    const [file] = globSync(join(path, "{LICENSE,LICENCE,license}*"));
    const { name, license } = readManifest(join(path, "package.json"));
    return `${String(name)}: ${file === undefined ? String(license) : readFileSync(file, "utf8").trim()}`;
  });
  return texts.map((text) => `\n----\n${text}\n`).join("");
}

/** Declarations of the zones and of the part of `proto` that they show. */
function writeTypes(outDir: string): void {
  const config = join(folder, "tsconfig.json");
  // Of `proto` only what the types of the SDK mention: the rest is nobody's business outside.
  const shown = ["wire", "name", "fields", "placement", "timing", "log-line"];
  const files = [
    ...Object.values(zones).map((zone) => `sdk/src/${zone}.ts`),
    ...shown.map((name) => `proto/src/${name}.ts`),
  ];
  writeFileSync(
    config,
    JSON.stringify({
      extends: resolve("tsconfig.json"),
      compilerOptions: {
        noEmit: false,
        declaration: true,
        emitDeclarationOnly: true,
        stripInternal: true,
        rootDir: resolve("."),
        outDir,
        typeRoots: [resolve("node_modules/@types")],
      },
      include: [],
      files: files.map((file) => resolve(file)),
    }),
  );
  execute("tsc", ["-p", config]);
  rmSync(config);
  // the world of test meshes is of other rooms: none of their types is shown
  for (const room of readdirSync(outDir))
    if (room !== "sdk" && room !== "proto") rmSync(join(outDir, room), { recursive: true });
  // There is no `@voda/proto` where it is installed: declarations lie beside each other, and say so.
  for (const file of globSync(join(outDir, "**/*.d.ts"))) {
    const toProto = relative(dirname(file), join(outDir, "proto/src"));
    const text = readFileSync(file, "utf8")
      .replaceAll(/(?<=from ")@voda\/proto\/([\w-]+)"/g, (_, name: string) => {
        if (!shown.includes(name))
          throw new Error(`${file} mentions proto/src/${name}.ts: add it to \`shown\``);
        return `${toProto}/${name}.ts"`;
      })
      .replaceAll(/(from "\.[^"]*)\.ts"/g, '$1.js"');
    if (/"@voda\//.test(text)) throw new Error(`${file} shows types of a room that is not published`);
    writeFileSync(file, text);
  }
}

function manifest(chunks: readonly OutputChunk[]): object {
  const sdk = readManifest("sdk/package.json");
  const imported = chunks.flatMap((chunk) => [...chunk.imports, ...chunk.dynamicImports]);
  const names = new Set(
    imported
      .filter((id) => !isBuiltin(id) && /^[@\w]/.test(id) && !id.startsWith("shared-"))
      .flatMap(packageOf),
  );
  // Programs import each other by their files, which are no packages.
  for (const entry of Object.keys(entries)) names.delete(`${entry}.js`);
  return {
    name: "voda",
    version: sdk.version,
    description: sdk["description"],
    license: sdk["license"],
    type: "module",
    bin: { voda: "bin/voda.mjs" },
    engines: sdk["engines"],
    exports: Object.fromEntries(
      Object.entries(zones).map(([zone, name]) => [
        zone,
        { types: `./types/sdk/src/${name}.d.ts`, default: `./dist/${name}.js` },
      ]),
    ),
    files: ["bin", "dist", "types", "NOTICE", ...documentFolders],
    dependencies: pins(new Set([...names, ...Object.keys(sdk.dependencies ?? {})])),
    optionalDependencies: readManifest("package.json").optionalDependencies,
  };
}

/** `@scope/name/path` and `name/path` are of one package each. */
function packageOf(id: string): string[] {
  const parts = id.split("/");
  return [parts.slice(0, id.startsWith("@") ? 2 : 1).join("/")];
}

/** The exact versions that the rooms use. */
function pins(names: ReadonlySet<string>): Readonly<Record<string, string>> {
  const rooms = globSync("*/package.json").map((path) => readManifest(path).dependencies ?? {});
  const known = new Map(rooms.flatMap((dependencies) => Object.entries(dependencies)));
  return Object.fromEntries(
    [...names].toSorted().map((name) => {
      const version = known.get(name);
      if (version === undefined) throw new Error(`${name} is imported, and no room depends on it`);
      return [name, version];
    }),
  );
}

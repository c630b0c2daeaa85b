// npm run generate: writes everything under */gen from its sources, and the pictures of docs/ARCHITECTURE.md.
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { drawRooms } from "./diagrams.ts";
import { fence } from "./fence.ts";
import { run } from "./run.ts";

run("buf", ["generate", "proto"]);
run("buf", ["generate", "examples/proto", "--template", "examples/buf.gen.yaml"]);
mkdirSync("tools/gen", { recursive: true });
const lines = fence().map((override) => JSON.stringify(override));
writeFileSync("tools/gen/oxlint.json", `{ "overrides": [\n${lines.join(",\n")}\n] }\n`);
const globals = Object.fromEntries(typesOfLanguage().map((name) => [name, "readonly"]));
const names = JSON.parse(readFileSync("tools/names.json", "utf8")) as object;
writeFileSync("tools/gen/names.json", `${JSON.stringify({ ...names, globals }, undefined, 2)}\n`);
drawRooms();

/** The linter knows the values of the language. Types that are global stand in TypeScript alone. */
function typesOfLanguage(): readonly string[] {
  const { platform, arch } = process;
  const folder = `node_modules/@typescript/typescript-${platform}-${arch}/lib`;
  const library = globSync(`${folder}/lib.{es,decorators}*.d.ts`);
  if (library.length === 0) throw new Error(`no types of the language in ${folder}: run npm ci`);
  const declared = library.flatMap((file) => [
    ...readFileSync(file, "utf8").matchAll(/^(?:declare )?(?:type|interface) (\w+)/gm),
  ]);
  return [...new Set(declared.map(([, name = ""]) => name))].sort();
}

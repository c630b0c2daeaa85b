// Each import that the table of rooms allows is made by some file of the product: what nobody needs is taken
// back, before somebody does.
import { globSync, readFileSync } from "node:fs";
import { rooms } from "./rooms.ts";

const specifiers = /(?:from|import)\s*\(?\s*"([^"]+)"/g;

/** What the product's files under `folder` import; tests may import anything. */
function importsUnder(folder: string): ReadonlySet<string> {
  const files = globSync(`${folder}/**/*.ts`, { exclude: ["**/*.test.ts", "**/testdata/**"] });
  return new Set(
    files.flatMap((file) =>
      [...readFileSync(file, "utf8").matchAll(specifiers)].map(([, one = ""]) =>
        one.replace(/^(\.\.\/)+/, "../"),
      ),
    ),
  );
}

/** Entries of `allowed` that no specifier goes to. */
function unused(allowed: readonly string[], found: ReadonlySet<string>): readonly string[] {
  const made = [...found];
  return allowed.filter((one) => {
    const face = one.replace(/\/\*$/, "/");
    return !made.some((specifier) => specifier === face || specifier.startsWith(face.replace(/\/?$/, "/")));
  });
}

const idle = Object.entries(rooms).flatMap(([name, room]) => {
  const ofRoom = new Set(["src", "bench", "tools"].flatMap((part) => [...importsUnder(`${name}/${part}`)]));
  return [
    ...unused(room.imports, ofRoom).map((one) => `${name} may import ${one}`),
    ...Object.entries(room.folders).flatMap(([folder, { imports, pure = [] }]) => {
      const found = importsUnder(`${name}/src/${folder}`);
      const siblings = imports.map((one) => `../${one}`);
      return unused([...siblings, ...pure], found).map((one) => `${name}/src/${folder} may import ${one}`);
    }),
  ];
});
for (const line of idle) console.error(`${line}, and no file of the product does; mend tools/rooms.ts`);
console.log(`edges: ${idle.length} that nobody needs`);
process.exitCode = idle.length > 0 ? 1 : 0;

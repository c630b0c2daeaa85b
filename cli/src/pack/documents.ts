// What people read and try out of the package: the documentation and the examples, which benches run too.
import { cpSync, existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const shipped = [
  "README.md",
  "docs/**/*.md",
  "examples/**/*.*",
  "controlplane/bench/README.md",
  "compute/README.md",
];
/** Tests run in the repository only, and what the examples depend on comes with the package. */
const isLeftOut = (path: string): boolean =>
  path.endsWith(".test.ts") || path === "examples/package.json" || path.includes("node_modules/");

/** Top folders that are written, for the manifest. */
export const documentFolders = [...new Set(shipped.map((path) => path.split("/")[0] ?? path))];

/** Copies them into `folder`, under the paths that they have here. */
export function copyDocuments(folder: string): void {
  const paths = globSync(shipped).filter((path) => !isLeftOut(path));
  for (const path of paths) cpSync(path, join(folder, path));
  for (const path of paths.filter((one) => one.endsWith(".md"))) {
    const here = dirname(path);
    const text = readFileSync(path, "utf8").replaceAll(
      /\[([^\]]+)\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g,
      // A link that leads nowhere from the package leaves its words.
      (link, words: string, target: string) => (existsSync(join(folder, here, target)) ? link : words),
    );
    writeFileSync(join(folder, path), withoutRepository(text));
  }
}

/** Takes out what is true in the repository only: lines that begin with these words, and the README's own. */
function withoutRepository(text: string): string {
  return text
    .replaceAll(/^In voda's repository, .*\n\n?/gm, "")
    .replace(/^Not published yet: .*? by its path\. /m, "")
    .replace(/^Working on voda itself: .*\n/m, "")
    .replace(" · Contributing", "");
}

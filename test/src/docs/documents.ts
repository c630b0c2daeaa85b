// The documentation as data: its files, and the code blocks in them.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../../", import.meta.url));

export interface Block {
  /** Path of the document from the root. */
  readonly document: string;
  readonly language: string;
  readonly text: string;
}

export const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** All files of the working tree that git does not ignore, or those that match. */
export function filesInGit(...patterns: readonly string[]): string[] {
  return execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", ...patterns], {
    cwd: root,
    encoding: "utf8",
  })
    .split("\n")
    .filter((path) => path !== "");
}

/** All Markdown files in git. */
export const documents = (): string[] => filesInGit("*.md");

export function blocksOf(document: string): Block[] {
  return [...read(document).matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = "", text = ""]) => ({
    document,
    language,
    text,
  }));
}

/**
 * Blocks of TypeScript as files, where their relative imports find the README's `counter.ts` and
 * `voda.config.ts`.
 */
export function typescriptFiles(): { path: string; block: Block }[] {
  const programs = ["examples/cart/clients/typescript/cart.ts", "examples/cart/cart.ts"].map(read);
  return documents().flatMap((document) => {
    const folder = dirname(document);
    const blocks = blocksOf(document).filter(({ language, text }) => {
      return language === "ts" && !programs.includes(text);
    });
    return blocks.map((block, index) => {
      const name = /^\/\/ ([\w.-]+\.ts)\n/.exec(block.text)?.[1] ?? `block-${index}.ts`;
      return { path: join(folder === "." || folder === "docs" ? "." : basename(folder), name), block };
    });
  });
}

export interface Line {
  readonly document: string;
  readonly command: string;
  /** What it prints, where its comment says so. */
  readonly prints: unknown;
}

/** The lines of a document's shell blocks that call a mesh. */
export function callsOf(document: string): Line[] {
  const lines: Line[] = [];
  for (const { language, text } of blocksOf(document)) {
    if (language === "json") {
      const last = lines.pop(); // a block of JSON shows what the line before it printed
      if (last !== undefined) lines.push({ ...last, prints: JSON.parse(text) });
    }
    if (language !== "sh") continue;
    const commands = text.split("\n").filter((line) => /^(curl|npx voda (call|wake)) /.test(line));
    lines.push(...commands.map((line) => lineOf(document, line)));
  }
  return lines;
}

function lineOf(document: string, line: string): Line {
  const [command = "", comment = ""] = line.split(/\s+# /);
  for (const text of [comment, comment.split(", ")[0] ?? ""]) {
    if (/^["[{\d]/.test(text) && isJson(text)) return { document, command, prints: JSON.parse(text) };
  }
  return { document, command, prints: undefined };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

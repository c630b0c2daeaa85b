// Breaks every rule of the fence, and of names, on purpose and fails where the linter is silent, or where it
// refuses what is allowed. The probes lie in a copy of the configuration, so that a run that dies leaves
// nothing in the house.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { rooms } from "./rooms.ts";

/** One line of a probe file and whether the linter must speak of it. */
interface Line {
  readonly code: string;
  readonly isRefused: boolean;
}

/** A file that breaks rules, as it would lie in the house. */
interface Probe {
  readonly file: string;
  readonly lines: readonly Line[];
}

interface Diagnostic {
  readonly code: string;
  readonly filename: string;
  readonly labels: readonly { readonly span: { readonly line: number } }[];
}

const refused = (code: string): Line => ({ code, isRefused: true });
const allowed = (code: string): Line => ({ code, isRefused: false });
const imports = (specifier: string, isAllowed: boolean): Line => ({
  code: `import "${specifier}";`,
  isRefused: !isAllowed,
});

/** The language's own, but for what knows the time, other threads, the collector or code made of text. */
const pureGlobals: readonly string[] = [
  "AggregateError Array ArrayBuffer AsyncDisposableStack BigInt BigInt64Array BigUint64Array Boolean DataView",
  "DisposableStack Error EvalError Float16Array Float32Array Float64Array Infinity Int16Array Int32Array",
  "Int8Array Iterator JSON Map Math NaN Number Object Promise Proxy RangeError ReferenceError Reflect RegExp",
  "Set String SuppressedError Symbol SyntaxError TextDecoder TextEncoder TypeError URIError Uint16Array",
  "Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakSet decodeURI decodeURIComponent encodeURI",
  "encodeURIComponent escape isFinite isNaN parseFloat parseInt undefined unescape",
].flatMap((line) => line.split(" "));

/**
 * The breaks that a survey of the house found to lint clean, by name: the table may change, these may not.
 */
const found: readonly Probe[] = [
  {
    file: "dataplane/src/lane/found.ts",
    lines: [
      ...["../commit/index.ts", "../host/sessions.ts", "voda/definition", "node:fs"].map((one) =>
        imports(one, false),
      ),
      refused('export type Commit = import("../commit/index.ts").Commit;'),
      refused('void import("../commit/index.ts");'),
      ...pureGlobals.map((name) => allowed(`void ${name};`)),
    ],
  },
  {
    file: "controlplane/src/placement/found.ts",
    lines: ["@voda/envoy", "../nats/command.ts", "../directory/directory.ts"].map((one) =>
      imports(one, false),
    ),
  },
  { file: "state/src/found.ts", lines: ["node:crypto", "@nats-io/kv"].map((one) => imports(one, false)) },
  // A cycle of types alone.
  {
    file: "cli/src/one.ts",
    lines: [refused('import type { Two } from "./two.ts";'), allowed("export type One = Two | 1;")],
  },
  {
    file: "cli/src/two.ts",
    lines: [refused('import type { One } from "./one.ts";'), allowed("export type Two = One | 2;")],
  },
];

/** Names that only pages and their workers have. */
const pageGlobals: readonly string[] = ["self", "window", "document", "indexedDB", "importScripts"];
const impureGlobals = [...Object.getOwnPropertyNames(globalThis), ...pageGlobals].filter(
  (name) => !pureGlobals.includes(name),
);

/** Time, chance and the world, as they are had without an import: every global that is not on the list. */
const impure: readonly string[] = [
  ...impureGlobals.map((name) => `void ${name};`),
  "void Date.now();",
  "void Math.random();",
  "const { random } = Math;",
];

function probes(): readonly Probe[] {
  return Object.entries(rooms).flatMap(([name, room]) => {
    // Its face is `voda`, the name of the package that users install.
    const neighbours = Object.keys(rooms).filter((one) => one !== name && one !== "sdk");
    const houses = (allowedRooms: readonly string[]): Line[] =>
      [...neighbours.map((one) => `@voda/${one}`), "voda"].map((one) =>
        imports(one, allowedRooms.includes(one)),
      );
    // Never, whatever the table allows: a path leads past the face of a room.
    const byPath = neighbours.map((one) => imports(`../../${one}/src/index.ts`, false));
    const root = { file: `${name}/src/probe.ts`, lines: [...houses(room.pure ?? room.imports), ...byPath] };
    const folders = Object.entries(room.folders).flatMap(([folder, spec]) =>
      /** From a folder and from one within it: each has a pattern of its own in the fence. */
      ["../", "../../"].map((up) => {
        const siblings = Object.keys(room.folders)
          .filter((one) => one !== folder)
          .map((one) => imports(`${up}${one}/index.ts`, spec.imports.includes(one)));
        const pure = spec.pure ?? room.pure;
        const outside = pure === undefined ? [] : [imports("node:fs", false), ...impure.map(refused)];
        const nested = up === "../" ? "" : "nested/";
        return {
          file: `${name}/src/${folder}/${nested}probe.ts`,
          lines: [
            ...siblings,
            ...houses(pure ?? room.imports),
            ...outside,
            imports(`${up}program.ts`, false),
          ],
        };
      }),
    );
    return [root, ...folders];
  });
}

/** What stands for a global, or for a name around it, whether it is a type, a value or an import. */
const names: Probe = {
  file: "stdx/src/names.ts",
  lines: [
    refused('import { performance } from "node:perf_hooks";'),
    refused("export type Pick<T> = T;"),
    refused("export interface Request {}"),
    refused("export type NoInfer<T> = T;"),
    refused("export interface PromiseLike<T> {}"),
    refused("export class Event {}"),
    refused("export function fetch(): void {}"),
    refused("export const process = performance;"),
    refused("export const { Map } = { Map: process };"),
    refused("export const crypto = (Symbol: number): number => Symbol;"),
    refused("export const outer = (inner: number) => (inner: number): number => inner;"),
    allowed("export const name = (_: number, module: string, status: number) => [module, status];"),
  ],
};

/** The linter reads only what lies in its folder. */
const home = mkdtempSync(join(tmpdir(), "voda-probes-"));
try {
  cpSync(".oxlintrc.json", join(home, ".oxlintrc.json"));
  cpSync("tools/gen", join(home, "tools/gen"), { recursive: true });
  const fenced = [...found, ...probes()];
  for (const { file, lines } of [names, ...fenced]) {
    mkdirSync(dirname(join(home, file)), { recursive: true });
    writeFileSync(join(home, file), `${lines.map(({ code }) => code).join("\n")}\n`);
  }
  const rules = /no-restricted|no-cycle|no-undef|consistent-type-imports/;
  const wrong = [
    ...fenced.flatMap(wrongIn(lint(home, [], rules))),
    ...wrongIn(lint(home, ["-c", "tools/gen/names.json"], /no-shadow/))(names),
  ];
  for (const line of wrong) console.error(line);
  console.log(`probes: ${fenced.length + 1} files, ${wrong.length} where the fence does not hold`);
  process.exitCode = wrong.length > 0 ? 1 : 0;
} finally {
  rmSync(home, { recursive: true });
}

/** Where the linter is silent and must not be, or speaks of what is allowed. */
function wrongIn(spoken: ReadonlySet<string>): (probe: Probe) => readonly string[] {
  const says = ({ code, isRefused }: Line): string =>
    `${code} ${isRefused ? "lints clean: the fence has a hole" : "is allowed, and is refused"}`;
  return ({ file, lines }) =>
    lines.flatMap((line, at) =>
      spoken.has(`${file}:${at + 1}`) === line.isRefused ? [] : [`${file}: ${says(line)}`],
    );
}

/** `file:line` of everything that these rules said: of others the probes break many. */
function lint(folder: string, options: readonly string[], rules: RegExp): ReadonlySet<string> {
  const args = [...options, "-f", "json", "."];
  const { stdout, stderr, error } = spawnSync(resolve("node_modules/.bin/oxlint"), args, {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 64 * 1_024 * 1_024,
  });
  if (error !== undefined || stdout === "")
    throw new Error(`oxlint did not run: ${error?.message ?? stderr}`);
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: readonly Diagnostic[] };
  const said = diagnostics.filter(({ code }) => rules.test(code));
  return new Set(said.map(({ filename, labels }) => `${filename}:${labels[0]?.span.line}`));
}

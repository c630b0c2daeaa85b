// The linter's fence around each room and folder, made from the table in rooms.ts. A specifier that is not
// allowed is refused: a new folder is fenced before anybody thinks of it.
import { existsSync, globSync, readFileSync } from "node:fs";
import { type Folder, type Room, rooms } from "./rooms.ts";

interface Override {
  readonly files: readonly string[];
  readonly rules: Readonly<Record<string, unknown>>;
  readonly globals?: Readonly<Record<string, "readonly">>;
}

/**
 * Files of a folder and of folders within it: where neighbours stand as seen from there, and what is the
 * folder's own.
 */
const depths = [
  { files: (folder: string) => `${folder}/*.ts`, up: "../", own: ["./**"] },
  { files: (folder: string) => `${folder}/*/*.ts`, up: "../../", own: ["./**", "../**"] },
] as const;

/** What pure code may use without an import, beside the language itself: `no-undef` refuses all else. */
const pureGlobals = { TextEncoder: "readonly", TextDecoder: "readonly" } as const;

const purity = {
  "no-undef": "error",
  "no-restricted-properties": [
    "error",
    { object: "Date", property: "now", message: "pure folder: take a Clock" },
    { object: "Math", property: "random", message: "pure folder: take a Prng" },
    { object: "performance", property: "now", message: "pure folder: take a Clock" },
  ],
  "no-restricted-globals": [
    "error",
    ...["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch"].map((name) => ({
      name,
      message: "pure folder: return an effect",
    })),
    ...["performance", "crypto", "process", "globalThis", "global"].map((name) => ({
      name,
      message: "pure folder: take time, chance and the world as arguments",
    })),
    { name: "Buffer", message: "pure folder: bytes are a Uint8Array; see @voda/stdx" },
    // Of the language, so that `no-undef` knows them.
    { name: "Date", message: "pure folder: take a Clock" },
    { name: "Intl", message: "pure folder: it knows the time, the zone and the machine's language" },
    ...["Atomics", "SharedArrayBuffer"].map((name) => ({
      name,
      message: "pure folder: it shares memory with nobody",
    })),
    ...["WeakRef", "FinalizationRegistry"].map((name) => ({
      name,
      message: "pure folder: when memory is collected decides nothing",
    })),
    ...["eval", "Function"].map((name) => ({ name, message: "pure folder: code stands in its files" })),
  ],
};

/**
 * Refuses what `refused` matches but for `allowed`, later patterns over earlier ones. All of it is one group:
 * an import that one group allows is not looked at by the linter's other groups.
 */
function rules(group: readonly string[], message: string, isPure: boolean): Omit<Override, "files"> {
  const imports = { "no-restricted-imports": ["error", { patterns: [{ group, message }] }] };
  return isPure ? { globals: pureGlobals, rules: { ...imports, ...purity } } : { rules: imports };
}

const not = (specifiers: readonly string[]): readonly string[] => specifiers.map((one) => `!${one}`);
/** A room of the house or a package, and its subpaths. */
const faces = (names: readonly string[]): readonly string[] =>
  not(names.flatMap((name) => (name.startsWith("@") ? [name, `${name}/**`] : [name])));

/**
 * What may come from outside of the room: any package but the house's rooms that are not listed; in pure code
 * the listed alone.
 */
const outside = (room: Room, pure: readonly string[] | undefined): readonly string[] =>
  pure === undefined ? ["@voda/**", "voda", "voda/**", ...faces(room.imports)] : ["**", ...faces(pure)];

const pureSays = "pure code takes time, chance and I/O as arguments";

/** `src/*.ts` and benches: the whole room is theirs, other rooms only by their faces. */
function roomOverride(name: string, room: Room): Override {
  const own = not(["./**", "../**"]);
  const says = [
    room.says,
    "other rooms by their face, not by path",
    ...(room.pure === undefined ? [] : [pureSays]),
  ];
  return {
    files: [`${name}/src/*.ts`, `${name}/bench/*.ts`],
    ...rules([...outside(room, room.pure), ...own, "../../**"], says.join("; "), room.pure !== undefined),
  };
}

function folderOverrides(name: string, room: Room, folder: string, spec: Folder): readonly Override[] {
  const pure = spec.pure ?? room.pure;
  const siblings = `${name}/src/${folder} may import ${spec.imports.join(", ") || "none"} of its siblings (tools/rooms.ts)`;
  const message = [siblings, room.says, ...(pure === undefined ? [] : [pureSays])].join("; ");
  return depths.map(({ files, up, own }) => {
    // Generated code of the room is data.
    const neighbours = [...spec.imports.map((one) => (one.endsWith(".ts") ? one : `${one}/**`)), "../gen/**"];
    const group = [
      ...outside(room, pure),
      ...not(own),
      `${up}**`,
      ...not(neighbours.map((one) => `${up}${one}`)),
    ];
    return { files: [files(`${name}/src/${folder}`)], ...rules(group, message, pure !== undefined) };
  });
}

/** What may import every room. */
const everywhere = ["test", "examples"];

/** The overrides of the linter's configuration. @throws when the table and the house differ */
export function fence(): readonly Override[] {
  const { workspaces } = JSON.parse(readFileSync("package.json", "utf8"));
  for (const name of workspaces)
    if (!(name in rooms) && !everywhere.includes(name))
      throw new Error(`the room ${name} is not in the table: say what it may import; mend tools/rooms.ts`);
  return Object.entries(rooms).flatMap(([name, room]) => {
    compare(name, room);
    return [
      roomOverride(name, room),
      ...Object.entries(room.folders).flatMap(([folder, spec]) => folderOverrides(name, room, folder, spec)),
    ];
  });
}

function compare(name: string, room: Room): void {
  const fix = "mend tools/rooms.ts, then `npm run generate`";
  const found = new Set(globSync(`${name}/src/*/**/*.ts`).map((file) => file.split("/")[2]));
  const listed = Object.keys(room.folders);
  for (const folder of found)
    if (!listed.includes(folder ?? ""))
      throw new Error(`${name}/src/${folder} is not in the table of rooms: say what it may import; ${fix}`);
  for (const [folder, { imports }] of Object.entries(room.folders)) {
    if (!found.has(folder)) throw new Error(`the table lists ${name}/src/${folder}, which is gone; ${fix}`);
    for (const one of imports) {
      if (!existsSync(`${name}/src/${one}`))
        throw new Error(`${name}/src/${folder} may import ${one}, which is not there; ${fix}`);
      if (!one.endsWith(".ts") && listed.indexOf(one) >= listed.indexOf(folder))
        throw new Error(
          `${name}/src/${folder} may import ${one}, which must stand above it: no cycles; ${fix}`,
        );
    }
  }
  const { dependencies = {} } = JSON.parse(readFileSync(`${name}/package.json`, "utf8"));
  const allowed = room.imports.map((one) => /^(@voda\/[a-z]+|voda)/.exec(one)?.[0]);
  for (const dependency of Object.keys(dependencies))
    if (/^(@voda\/|voda$)/.test(dependency) && !allowed.includes(dependency))
      throw new Error(`${name}/package.json depends on ${dependency}, which the room may not import; ${fix}`);
}

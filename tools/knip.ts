// Which files nobody imports and yet are used: tests, programs, and what rooms.ts names.
import type { KnipConfig } from "knip";
import programs from "../cli/src/programs.json" with { type: "json" };
import { rooms } from "./rooms.ts";

/** What the CLI starts by path is in one list (cli/src/programs.json); these are the ones of a room. */
const programsOf = (room: string): string[] =>
  Object.values(programs).flatMap((source) =>
    source.startsWith(`${room}/`) ? [source.slice(room.length + 1)] : [],
  );

const workspaces = Object.fromEntries(
  Object.entries(rooms).map(([name, { entries = [] }]) => [
    name,
    {
      entry: [...entries, ...programsOf(name), "{src,bench,test}/**/*.test.ts"],
      project: ["{src,bench,test,tools}/**"],
    },
  ]),
);

/** Types are not searched: a face names those of its functions, whoever imports them today. */
export default {
  ignoreExportsUsedInFile: true,
  ignore: ["**/gen/**"],
  ignoreBinaries: ["mkfifo", "prlimit"],
  ignoreDependencies: ["@bufbuild/buf", "oxlint", "oxlint-tsgolint"],
  // Types are not searched: a room's face names those of its functions, whoever imports them today.
  exclude: ["types"],
  workspaces: {
    ".": { entry: ["tools/*.{ts,mjs}", "tools/mutants/{break,main,one}.ts"], project: ["tools/**"] },
    ...workspaces,
    test: { entry: ["src/**/*.test.ts", "src/agents/*.ts", "src/sim/replay.ts"], project: ["src/**"] },
    examples: { entry: ["*.test.ts", "cart/clients/typescript/cart.ts"], project: ["**/*.ts"] },
  },
} satisfies KnipConfig;

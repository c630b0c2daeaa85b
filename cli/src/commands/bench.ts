import type { BenchFlag, BenchValues } from "@voda/stdx/bench";
import { type Command, Option } from "commander";
import type { MeshBench } from "../bench/mesh-bench.ts";
import { type PlacementsResult, placements, sessionsOf } from "../bench/placements.ts";
import { flagsOf, type ProgramBench, programBenches, runProgramBench } from "../bench/program-benches.ts";
import { benches } from "../bench/registry.ts";
import { CliError } from "../failure.ts";
import { jsonOption, parseUrl, parseWhole } from "../options.ts";
import { type Output, table } from "../print.ts";

/** `voda bench NAME`, for the benches of a mesh and for those that are programs of other rooms. */
export function addBench(program: Command, output: Output): void {
  addBenches(program, benches, output);
  addProgramBenches(program, output);
}

/** `voda bench NAME`: one subcommand per bench, so that each has its own flags and help. */
export function addBenches(program: Command, list: readonly MeshBench[], { out: print }: Output): void {
  const command = program.command("bench").description("measure a mesh");
  for (const bench of list) {
    const sub = command.command(bench.name).description(bench.summary);
    for (const flag of bench.flags) {
      const option = new Option(`--${flag.name}${argument[flag.type]}`, flag.description);
      if (flag.type === "whole")
        option.argParser(parseWhole(flag.least ?? 0, flag.most ?? Number.MAX_SAFE_INTEGER));
      // What has no default must be named; a switch is off without one.
      const isRequired = flag.default === undefined && flag.type !== "switch";
      sub.addOption(isRequired ? option.makeOptionMandatory() : option.default(flag.default));
    }
    if (bench.takesUrl)
      sub.addOption(
        new Option("--url <url>", "a running mesh (default: one of its own on free ports)").argParser(
          parseUrl,
        ),
      );
    sub.addOption(jsonOption());
    sub.action(async (flags: Record<string, unknown>) => {
      const { figures, failure } = await bench.run({
        values: valuesOf(bench, sub),
        url: typeof flags["url"] === "string" ? flags["url"] : undefined,
        // Standard output is for the figures.
        say: (line) => process.stderr.write(`${line}\n`),
      });
      // Figures first, also of a bench that fails: they show how.
      print(
        flags["json"] === true ? JSON.stringify(figures) : table(["FIGURE", "VALUE"], [...rowsOf(figures)]),
      );
      if (failure !== undefined) throw new CliError(`${bench.name}: ${failure}`);
    });
  }
}

/** What stands behind a flag in the help, by its type. */
const argument: Readonly<Record<BenchFlag["type"], string>> = { whole: " <n>", text: " <text>", switch: "" };

/** Each figure by its path in `--json`, with the same digits. */
function* rowsOf(figures: object, path = ""): Generator<string[]> {
  for (const [name, figure] of Object.entries(figures) as [string, unknown][]) {
    if (typeof figure === "object" && figure !== null) yield* rowsOf(figure, `${path}${name}.`);
    else yield [path + name, String(figure)];
  }
}

/** Benches that are programs read their flags themselves. */
function addProgramBenches(program: Command, output: Output): void {
  const bench = program.commands.find((one) => one.name() === "bench") ?? program.command("bench");
  for (const one of programBenches) {
    const { name, summary } = one;
    const command = bench
      .command(name)
      .description(summary)
      .allowUnknownOption() // they are the child's own: it refuses those that are none
      .argument("[flags...]", "as below")
      .addHelpText("after", () => `\n${flagsOf(one)}`);
    if (name === "placement-speed") timePlacements(command, one, output);
    else
      command.action(async (flags: readonly string[]) =>
        output.out(await runProgramBench(one, flags, output.err)),
      );
  }
}

/** What the mesh does is measured from here: the program does not start meshes. */
function timePlacements(command: Command, one: ProgramBench, { out, err }: Output): void {
  command
    .addOption(new Option("--end-to-end", "also time placements through a mesh of its own").default(true))
    .addOption(new Option("--no-end-to-end", "only time decisions"))
    .addOption(
      new Option("--rate <n>", "placements per second, end to end")
        .default(1000)
        .argParser(parseWhole(1, 20_000)),
    )
    .addOption(new Option("--seconds <n>", "how long, end to end").default(5).argParser(parseWhole(1, 3600)))
    .action(async (flags: readonly string[], options: EndToEndFlags) => {
      if (options.endToEnd) sessionsOf(options); // before the decisions take their time
      const printed = await runProgramBench(one, flags, err);
      if (!options.endToEnd) {
        out(printed);
        return;
      }
      // The flags are the child's, unread here; this one both must know.
      const isJson = flags.includes("--json");
      if (!isJson) out(printed);
      const endToEnd = await endToEndOr(() => isJson && out(printed), placements(options, err));
      if (isJson) out(JSON.stringify({ ...(JSON.parse(printed) as object), endToEnd }));
      else
        out(
          `\n${table(
            ["END TO END", "VALUE"],
            Object.entries(endToEnd).map(([name, value]) => [name, String(value)]),
          )}`,
        );
      // The figures are out by then: they tell how far it came.
      if (endToEnd.unanswered > 0)
        throw new CliError(`bench ${command.name()}: ${endToEnd.unanswered} calls were not answered in time`);
    });
}

/** What was measured before is printed even if the mesh fails. */
async function endToEndOr(print: () => void, measured: Promise<PlacementsResult>): Promise<PlacementsResult> {
  try {
    return await measured;
  } catch (error) {
    print();
    throw error;
  }
}

interface EndToEndFlags {
  readonly endToEnd: boolean;
  readonly rate: number;
  readonly seconds: number;
}

/** By the names of the flags as they are typed: `mesh-trace` does not know what commander calls them. */
function valuesOf(bench: MeshBench, command: Command): BenchValues {
  return Object.fromEntries(
    bench.flags.map(({ name, type }) => {
      // Commander's own name for the flag.
      const attribute = new Option(`--${name} <value>`).attributeName();
      const value: unknown = command.getOptionValue(attribute);
      if (type === "switch") return [name, value === true ? 1 : 0];
      return [name, typeof value === "number" ? value : String(value)];
    }),
  );
}

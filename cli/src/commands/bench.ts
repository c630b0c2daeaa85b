import { type Command, Option } from "commander";
import type { Bench, BenchValues } from "../bench/bench.ts";
import { CliError } from "../failure.ts";
import { jsonOption, parseUrl, parseWhole } from "../options.ts";
import { type Print, table } from "../print.ts";

/** `voda bench NAME`: one subcommand per bench, so that each has its own flags and help. */
export function addBench(program: Command, benches: readonly Bench[], print: Print): void {
  const command = program.command("bench").description("measure a mesh");
  for (const bench of benches) {
    const sub = command.command(bench.name).description(bench.summary);
    for (const flag of bench.flags) {
      const option = new Option(`--${flag.name} <${flag.kind === "whole" ? "n" : "text"}>`, flag.description);
      if (flag.kind === "whole") option.argParser(parseWhole(0, Number.MAX_SAFE_INTEGER));
      sub.addOption(flag.default === undefined ? option.makeOptionMandatory() : option.default(flag.default));
    }
    sub.addOption(new Option("--url <url>", "a running mesh (default: one of its own on free ports)").argParser(parseUrl));
    sub.addOption(jsonOption());
    sub.action(async (flags: Record<string, unknown>) => {
      const { figures, failure } = await bench.run({
        values: valuesOf(bench, sub),
        url: typeof flags["url"] === "string" ? flags["url"] : undefined,
        say: (line) => process.stderr.write(`${line}\n`),
      });
      const rows = Object.entries(figures).map(([name, value]) => [name, String(value)]);
      print(flags["json"] === true ? JSON.stringify(figures) : table(["FIGURE", "VALUE"], rows));
      if (failure !== undefined) throw new CliError(`${bench.name}: ${failure}`);
    });
  }
}

function valuesOf(bench: Bench, command: Command): BenchValues {
  return Object.fromEntries(
    bench.flags.map(({ name }) => {
      const attribute = new Option(`--${name} <value>`).attributeName();
      const value: unknown = command.getOptionValue(attribute);
      return [name, typeof value === "number" ? value : String(value)];
    }),
  );
}

// The command line of `voda`: its commands, and how each of them ends.
import { Command, CommanderError } from "commander";
import { benches } from "./bench/registry.ts";
import { addBench, addPlacementBenches } from "./commands/bench.ts";
import { addCall } from "./commands/call.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addExplain } from "./commands/explain.ts";
import { addLife } from "./commands/life.ts";
import { addPs } from "./commands/ps.ts";
import { addQuota } from "./commands/quota.ts";
import { addTop } from "./commands/top.ts";
import { addUp } from "./commands/up.ts";
import { type ExitCode, exitCodes, failureOf } from "./failure.ts";

export const version = "0.1.0";

export interface Output {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

/** Runs one command line; a failure is one line on `err`. */
export async function run(args: readonly string[], output: Output): Promise<ExitCode> {
  const program = build(output);
  let exitCode: ExitCode = exitCodes.ok;
  addDoctor(program, output.out, () => {
    exitCode = exitCodes.error;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return usage(error, args, output);
    const failure = failureOf(error);
    output.err(`voda: ${failure.line}`);
    return failure.exitCode;
  }
}

function build(output: Output): Command {
  const program = new Command("voda")
    .description("an agent mesh: run it, call it, look into it")
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => output.out(text.trimEnd()), writeErr: () => undefined });
  addUp(program, output);
  addCall(program, output.out);
  addPs(program, output.out);
  addLife(program, output.out);
  addTop(program, output.out);
  addExplain(program, output.out);
  addQuota(program, output.out);
  addBench(program, benches, output.out);
  addPlacementBenches(program, output);
  return program;
}

/** Commander's own refusals, and its help. */
function usage(error: CommanderError, args: readonly string[], output: Output): ExitCode {
  if (error.exitCode === 0) return exitCodes.ok;
  const command = args.find((arg) => !arg.startsWith("-"));
  if (error.code === "commander.help") {
    output.err("voda: name a command; `voda --help` lists them");
    return exitCodes.usage;
  }
  const message = error.message.replace(/^error: /, "").replaceAll(/\s*\n\s*/g, " ");
  output.err(`voda: ${message}; see \`voda ${command === undefined ? "" : `${command} `}--help\``);
  return exitCodes.usage;
}

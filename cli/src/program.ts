// The command line of `voda`: its commands, and how each of them ends.
import { Command, CommanderError } from "commander";
import { didYouMean } from "voda/definition";
import { commands } from "./commands/index.ts";
import { type ExitCode, exitCodes, type Failure, failureOf } from "./failure.ts";
import { forTerminal, type Output, type Streams } from "./print.ts";

/** Of `voda`; the tarball has the same in its manifest. */
export const version = "0.1.0";

/**
 * Runs one command line; a failure is one line on `err`. With `--json` it is also the one JSON value on
 * `out`, unless the command has printed its own.
 */
export async function run(args: readonly string[], { out, err }: Streams): Promise<ExitCode> {
  let hasPrinted = false;
  const exact = (line: string): void => {
    hasPrinted = true;
    out(line);
  };
  const printError = (line: string): void => err(forTerminal(line));
  const fail = ({ line, exitCode, facts }: Failure): ExitCode => {
    printError(`voda: ${line}`);
    if (isForPrograms(args) && !hasPrinted)
      out(JSON.stringify({ error: { message: line, exitCode, ...facts } }));
    return exitCode;
  };
  // Anew for each run: commander keeps what the last one parsed.
  const print = isForPrograms(args) ? exact : (line: string): void => exact(forTerminal(line));
  const program = build({ out: print, err: printError, exact });
  try {
    await program.parseAsync(unknownIn(program, args) ?? helpOf(args) ?? args, { from: "user" });
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof CommanderError)) return fail(failureOf(error));
    return error.exitCode === 0 ? exitCodes.ok : fail(usage(error, program, args));
  }
}

/** By the words, not by the parsed flags: a command line that does not parse must fail as JSON too. */
function isForPrograms(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end < 0 ? args.length : end).includes("--json");
}

function build(output: Output): Command {
  const program = new Command("voda")
    .description("an agent mesh: run it, call it, look into it")
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => output.out(text.trimEnd()), writeErr: () => undefined });
  for (const add of commands) add(program, output);
  return program;
}

/**
 * Down to a command that does not exist: with `--help` or `help` beside it commander would print the help of
 * what is above, as if that had been asked for.
 */
function unknownIn(program: Command, args: readonly string[]): readonly string[] | undefined {
  const names: string[] = [];
  let at = program;
  for (const arg of args) {
    if (at.commands.length === 0 || arg.startsWith("-")) return undefined;
    if (arg === "help") continue;
    names.push(arg);
    const next = at.commands.find((one) => one.name() === arg);
    if (next === undefined) return names;
    at = next;
  }
  return undefined;
}

/** Commander helps with the first command that is named after `help`, and not with one below it. */
function helpOf([help, ...names]: readonly string[]): readonly string[] | undefined {
  return help === "help" && names.length > 1 ? [...names, "--help"] : undefined;
}

/** What other tools call it. */
const otherWords: Readonly<Record<string, string>> = {
  deploy: "dev",
  describe: "agents ls",
  list: "ps",
  run: "up",
  start: "up",
  status: "ps",
};

/** Flags of other tools, by command. */
const otherFlags: Readonly<Record<string, string>> = {
  "call --idempotency-key": "--id",
  "dev --port": "--ingress-port",
  "up --port": "--ingress-port",
};

/** ` (did you mean dead retry?)` for a command that does not exist, and one that does it or has its name. */
function meant(program: Command, above: string, written: string): string {
  const at = above
    .split(" ")
    .reduce((one, name) => one.commands.find((sub) => sub.name() === name) ?? one, program);
  const nearest = didYouMean(written, namesOf(at));
  if (nearest !== "" || at !== program) return nearest;
  const under = program.commands.find((one) => namesOf(one).includes(written));
  const other = under === undefined ? otherWords[written] : `${under.name()} ${written}`;
  return other === undefined ? "" : ` (did you mean ${other}?)`;
}

const namesOf = (command: Command): readonly string[] => command.commands.map((one) => one.name());

/** The names of the command and of its subcommands, as far as they are known. */
function commandIn(program: Command, args: readonly string[]): string {
  const names: string[] = [];
  let at = program;
  for (const arg of args) {
    const next = at.commands.find((one) => one.name() === arg);
    if (next === undefined) break;
    names.push(arg);
    at = next;
  }
  return names.map((name) => `${name} `).join("");
}

/** Commander's own refusals. */
function usage(error: CommanderError, program: Command, args: readonly string[]): Failure {
  const { usage: exitCode } = exitCodes;
  const command = commandIn(program, args);
  if (error.code === "commander.help")
    return { line: `name a command; \`npx voda ${command}--help\` lists them`, exitCode };
  const message = error.message
    .replace(/^error: /, "")
    .replace(/^command-argument value (.*) is invalid for argument '(.*?)'\. /, "<$2> $1 is invalid: ")
    .replace(" is invalid. ", " is invalid: ")
    .replace(
      /^too many arguments for '\S+'\. Expected (\d+) arguments? but got (\d+): /,
      `\`${command.trim()}\` takes $1 arguments, not $2: `,
    )
    .replace(/^`call` takes .*\.$/, (words) => `${words.slice(0, -1)}; quote what has spaces`)
    .replace(/(?<=\S)\.$/, "")
    .replaceAll(/\s*\n\s*/g, " ")
    .replace(
      /(unknown command '(.*?)').*/,
      (_, words: string, name: string) => words + meant(program, command, name),
    )
    .replace(/unknown option '([^'=]*).*/, (words, flag: string) => {
      const other = otherFlags[command + flag];
      return other === undefined ? words : `unknown option '${flag}' (did you mean ${other}?)`;
    });
  return { line: `${message}; see \`npx voda ${command}--help\``, exitCode };
}

// The program that a room's benches are: `node controlplane/bench/main.ts placement --nodes FILE --json`.
// `voda bench` starts it as a child and shows what it prints, so flags, help and failures are the same in
// every room.
import { type ParseArgsConfig, parseArgs } from "node:util";
import { type Bench, BenchError, type BenchFlag, type BenchValues } from "./bench.ts";

/** The first word of a line of standard error that ends the run; other lines tell how far it is. */
export const failureMark = "error: ";

/** The same as those of `voda` itself: 1 when the run failed, 2 when it was asked wrongly. */
const exitError = 1;
const exitUsage = 2;

/**
 * Runs the bench that the first argument names; prints its result to standard output and everything else to
 * standard error.
 *
 * @param isRefusal whether an error tells of the user's files rather than of our bug: it is then shown
 *   without a stack
 */
export async function runBenches(
  benches: readonly Bench[],
  args: readonly string[],
  isRefusal: (error: unknown) => boolean = () => false,
): Promise<void> {
  try {
    await run(benches, args);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (error instanceof BenchError) fail(error.message, exitUsage);
    else if (isRefusal(error)) fail(error.message, exitError);
    else throw error;
  }
}

async function run(benches: readonly Bench[], args: readonly string[]): Promise<void> {
  const bench = benches.find((one) => one.name === args[0]);
  if (bench === undefined)
    throw new BenchError(`"${args[0] ?? ""}" is none of ${benches.map((one) => one.name).join(", ")}`);
  if (args.includes("--help")) {
    console.log(help(bench));
    return;
  }
  const { values, isJson } = readFlags(bench, args.slice(1));
  const result = await bench.run({ values, say: (line) => console.error(line) });
  console.log(
    isJson ? JSON.stringify(result.figures) : (result.table ?? JSON.stringify(result.figures, undefined, 2)),
  );
  if (result.failure !== undefined) fail(result.failure, exitError);
}

function help(bench: Bench): string {
  const shown = (given: number | string | undefined): string =>
    given === undefined ? " (must be given)" : given === "" ? "" : ` (default: ${given})`;
  const ofBench = bench.flags.map((flag) => [
    `  --${flag.name}${flag.type === "switch" ? "" : flag.type === "whole" ? " <n>" : " <text>"}`,
    `${flag.description}${flag.type === "switch" ? "" : shown(flag.default)}`,
  ]);
  const lines = [...ofBench, ["  --json", "one line"]];
  const width = Math.max(...lines.map(([name = ""]) => name.length));
  return ["Flags:", ...lines.map(([name = "", words = ""]) => `${name.padEnd(width)}  ${words}`)].join("\n");
}

/** On one line, however many the error had: `voda bench` finds it by its first word. */
function fail(words: string, exitCode: number): void {
  console.error(`${failureMark}${words.replaceAll(/\s*\n\s*/g, " ")}`);
  process.exitCode = exitCode;
}

function readFlags(bench: Bench, args: readonly string[]): { values: BenchValues; isJson: boolean } {
  const options = Object.fromEntries(
    bench.flags.map(({ name, type }) => [
      name,
      { type: type === "switch" ? ("boolean" as const) : ("string" as const) },
    ]),
  );
  const given = new Map(Object.entries(parsed(args, { ...options, json: { type: "boolean" } })));
  return {
    values: Object.fromEntries(bench.flags.map((flag) => [flag.name, valueOf(flag, given.get(flag.name))])),
    isJson: given.get("json") === true,
  };
}

/** @throws BenchError that names the flags there are: a misspelt one must not measure something else */
function parsed(args: readonly string[], options: NonNullable<ParseArgsConfig["options"]>): object {
  try {
    return parseArgs({ args: withSigns(args), options }).values;
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    const flags = Object.keys(options).map((name) => `--${name}`);
    throw new BenchError(`${cause.message}; flags are ${flags.join(", ")}`, { cause });
  }
}

/** `--load -1` as `--load=-1`, so that the flag says what is wrong with the number. */
function withSigns(args: readonly string[]): string[] {
  return args.reduce<string[]>((out, arg) => {
    const flag = out.at(-1);
    if (/^-[\d.]/.test(arg) && flag !== undefined && /^--[^=]+$/.test(flag))
      out[out.length - 1] = `${flag}=${arg}`;
    else out.push(arg);
    return out;
  }, []);
}

function valueOf(flag: BenchFlag, given: string | boolean | undefined): number | string {
  if (flag.type === "switch") return given === true ? 1 : 0;
  const written = typeof given === "string" ? given : flag.default;
  if (written === undefined) throw new BenchError(`--${flag.name} is missing: ${flag.description}`);
  if (flag.type === "text" || typeof written === "number") return written;
  const [least, most] = [flag.least ?? 0, flag.most ?? Number.MAX_SAFE_INTEGER];
  const value = Number(written);
  if (!/^\d+$/.test(written) || value < least || value > most)
    throw new BenchError(`--${flag.name} "${written}" is not a whole number of ${least} to ${most}`);
  return value;
}

// Flags of a program: read once, checked, frozen. Both planes read theirs here, so that they refuse in the
// same words.
import { parseArgs } from "node:util";
import * as v from "valibot";

/** Flags are wrong: the message names each, its value and what it must be. */
export class FlagError extends Error {
  override readonly name = "FlagError";
}

/** A port to listen on; 0 lets the system pick one. */
export const port = v.pipe(
  v.string(),
  v.digits("is not a port"),
  v.transform(Number),
  v.maxValue(65_535, "is not a port of 0 to 65535"),
);

/** An address of this machine. */
export const address = v.pipe(v.string(), v.ip("is not an IP address"));

/** Of a file or folder. */
export const path = v.pipe(v.string(), v.nonEmpty("is empty"));

/** `nats://host:port`. */
export const natsUrl = v.pipe(
  v.string(),
  v.regex(
    /^(nats|tls):\/\/[^/@]+$/,
    "is not nats://host:port; a login goes into a file that --nats-login names",
  ),
);

/** One of these words. */
export const oneOf = <const Name extends string>(names: readonly Name[]) =>
  v.picklist(names, `is none of ${names.join(", ")}`);

/** Texts between commas; an empty text has none. `problem`: why one cannot be, or `undefined`. */
export const list = (problem: (one: string) => string | undefined) =>
  v.pipe(
    v.string(),
    v.transform((text) => text.split(",").filter((one) => one !== "")),
    v.array(
      v.pipe(
        v.string(),
        v.check(
          (one) => problem(one) === undefined,
          ({ input }) => problem(input) ?? "",
        ),
      ),
    ),
    v.transform((all): readonly string[] => Object.freeze(all)),
  );

/**
 * `--edge-dir` is the entry `edgeDir`. What may hold a login is never said: these words go to logs.
 *
 * @throws FlagError that names each wrong flag, its value and what it must be, or the flags there are
 */
export function readFlags<const E extends v.ObjectEntries>(
  entries: E,
  args: readonly string[],
): Readonly<v.InferOutput<v.ObjectSchema<E, undefined>>> {
  const result = v.safeParse(v.object(entries), parse(Object.keys(entries), args), { abortPipeEarly: true });
  if (!result.success) throw new FlagError(result.issues.map(describe).join("; "));
  for (const value of Object.values(result.output)) Object.freeze(value); // lists of values too
  return Object.freeze(result.output);
}

const flagOf = (entry: string): string => entry.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function parse(entries: readonly string[], args: readonly string[]): Record<string, unknown> {
  const options = Object.fromEntries(entries.map((entry) => [flagOf(entry), { type: "string" as const }]));
  try {
    const { values } = parseArgs({ args: [...args], options });
    return Object.fromEntries(entries.map((entry) => [entry, values[flagOf(entry)]]));
  } catch (error) {
    // without a cause: the words of one repeat an argument that has no flag, whatever it holds
    const names = Object.keys(options).map((flag) => `--${flag}`);
    throw new FlagError(`${misuse(error)}; flags are ${names.join(", ")}`);
  }
}

function misuse(error: unknown): string {
  const { code, message } = error as { code?: string; message: string };
  return code === "ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL" ? "an argument has no flag before it" : message;
}

function describe({ path: way, input, message }: v.BaseIssue<unknown>): string {
  const flag = `--${flagOf(String(way?.[0].key))}`;
  if (input === undefined) return `${flag} is missing`;
  const value = JSON.stringify(input);
  return value.includes("@") ? `${flag} ${message}` : `${flag} ${value} ${message}`;
}

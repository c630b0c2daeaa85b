// Flags that several commands share, and how their values are read.
import { identifierProblem } from "@voda/proto/session";
import { type Command, InvalidArgumentError, Option } from "commander";
import { defaultUrl } from "./api.ts";
import { lockHolder } from "./up/lock.ts";

/** What `withClientFlags` parses. */
export interface ClientFlags {
  readonly url: string;
  readonly namespace?: string;
  readonly json?: true;
}

/** A new one each time: an option belongs to one command. */
export const jsonOption = (): Option => new Option("--json", "print JSON for programs");

/** Where `voda up` keeps its data unless it is told otherwise. */
export const defaultDataDir = ".voda";

/** Of the mesh that a command looks into on this machine. */
export const dataDirOption = (): Option =>
  new Option("--data-dir <folder>", "data directory of the mesh").default(defaultDataDir);

/** `--url`, else `VODA_URL`, else the mesh of this folder. */
export function urlOption(): Option {
  return new Option("--url <url>", "where the mesh is")
    .env("VODA_URL")
    .default(urlHere(), `the mesh that runs in ${defaultDataDir}, else ${defaultUrl}`)
    .argParser(parseUrl);
}

let foundHere: string | undefined;

/** Two meshes on one machine: each folder's commands talk to its own. */
function urlHere(): string {
  foundHere ??= lockHolder(defaultDataDir)?.ingress ?? defaultUrl;
  return foundHere;
}

/** The flags of every command that talks to a running mesh. */
export function withClientFlags(command: Command): Command {
  return command
    .addOption(urlOption())
    .addOption(
      new Option("--namespace <name>", "trust domain of the session (default: default)").argParser(
        parseName("namespace"),
      ),
    )
    .addOption(jsonOption());
}

/** Without slashes at the end, so that paths can be appended. @throws InvalidArgumentError */
export function parseUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new InvalidArgumentError(`write a URL such as ${defaultUrl}`);
  return text.replace(/\/+$/, "");
}

/** Refuses before the mesh is asked. */
export function parseName(what: "agent" | "namespace"): (text: string) => string {
  return (text) => {
    const problem = identifierProblem(what, text);
    if (problem !== undefined) throw new InvalidArgumentError(problem);
    return text;
  };
}

/** A whole number of `min` to `max`. */
export function parseWhole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`write a whole number of ${min} to ${max}`);
    return value;
  };
}

/** A port has 16 bits. */
export const portMax = 65_535;

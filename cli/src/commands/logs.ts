// `voda logs`: what agents say and throw, from the files that the supervisor of this machine's mesh writes.
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { identifierProblem } from "@voda/proto/session";
import { wordsOf } from "@voda/stdx";
import { type Command, InvalidArgumentError, Option } from "commander";
import { CliError, exitCodes } from "../failure.ts";
import { dataDirOption, jsonOption, parseWhole } from "../options.ts";
import { firstOf, type Output, type Print } from "../print.ts";
import { parseSession } from "../session-argument.ts";
import { configFolder } from "../up/kept-config.ts";
import { LogReader } from "../up/log-reader.ts";
import { logsFolder } from "../up/mesh.ts";
import { stopRequest } from "../up/stop-request.ts";
import { type ProgramLine, parseProgramLine, turnLine } from "../up/turn-line.ts";

interface LogsFlags {
  readonly dataDir: string;
  readonly request?: string;
  readonly tail?: number;
  readonly follow?: true;
  readonly json?: true;
}

/** Which lines are shown: all that is named must hold. */
interface Wanted {
  readonly agent?: string;
  readonly key?: string;
  /** An `x-request-id`. */
  readonly request?: string;
}

/** How they are shown. */
interface Told {
  readonly isForPrograms: boolean;
  /** That of the config, from which places are told. */
  readonly folder: string;
}

/** A line of a child, with what it says where it is one of JSON. */
interface Written {
  readonly child: string;
  readonly line: string;
  readonly entry: ProgramLine | undefined;
  /** Its own time, else that of the line before it. */
  readonly atMs: number;
}

/** Soon enough for eyes; each look reads what is new and nothing else. */
const pollMs = 200;
const tailLinesMax = 10_000;

/** `voda logs`: what agents said and threw, from the log files of a mesh of this machine. */
export function addLogs(program: Command, output: Output): void {
  program
    .command("logs")
    .description("show what agents log and throw, oldest first")
    .argument("[session]", "AGENT, or AGENT/KEY for one session; default: all, and warnings of the mesh")
    .option("-f, --follow", "go on with what is written from now on, until Ctrl-C")
    .addOption(
      new Option("--request <id>", "only of the call with this x-request-id").argParser(parseRequestId),
    )
    .option("--tail <lines>", "only the newest of what is there", parseWhole(0, tailLinesMax))
    .addOption(dataDirOption())
    .addOption(jsonOption())
    .action((session: string | undefined, flags: LogsFlags) => logs(session, flags, output));
}

async function logs(session: string | undefined, flags: LogsFlags, { out, err }: Output): Promise<void> {
  const wanted: Wanted = {
    ...wantedOf(session),
    ...(flags.request !== undefined && { request: flags.request }),
  };
  const dataDir = resolve(flags.dataDir);
  const folder = logsFolder(dataDir);
  if (!existsSync(folder))
    throw new CliError(
      `no logs in ${folder}: no mesh has run there; name its data directory with --data-dir`,
      exitCodes.notFound,
    );
  using files = new LogFiles(folder);
  const agents = new Set<string>();
  const told: Told = { isForPrograms: flags.json === true, folder: configFolder(dataDir) ?? "." };
  const shown = (): Generator<string> => shownOf(noting(files.lines(), agents), wanted, told);
  const found = printNewest(shown(), flags.tail, out);
  if (found === 0) {
    const what = `${session ?? "any agent"}${requestWords(wanted)}`;
    const others = agents.size === 0 ? "" : `; logged are: ${firstOf([...agents].toSorted(), ", ")}`;
    const isYet = flags.follow === true ? " yet" : "";
    err(`voda: nothing is logged of ${what}${isYet} in ${folder}${others}`);
  }
  if (flags.follow === true) await follow(() => printNewest(shown(), undefined, out));
}

/** Notes the agents that have lines: a name that is misspelt is seen beside them. */
function* noting(lines: Iterable<Written>, agents: Set<string>): Generator<Written> {
  for (const line of lines) {
    for (const agent of agentsOf(line.entry)) agents.add(agent);
    yield line;
  }
}

/** What is about a whole thread names all agents of its bundle. */
const agentsOf = (entry: ProgramLine | undefined): readonly string[] => entry?.agent?.split(", ") ?? [];

const requestWords = ({ request }: Wanted): string =>
  request === undefined ? "" : ` for request ${request}`;

/** @throws CliError for what can be no name: nothing would ever be logged of it */
function wantedOf(session: string | undefined): Wanted {
  if (session === undefined) return {};
  if (session.includes("/")) {
    const { agent, key } = parseSession(session);
    return { agent, key };
  }
  const problem = identifierProblem("agent", session);
  if (problem === undefined) return { agent: session };
  throw new CliError(`${problem}; write AGENT, or AGENT/KEY, as in counter/alice`, exitCodes.usage);
}

/** As the nodes take it from a caller; any other they replace by one of their own. */
function parseRequestId(text: string): string {
  if (!/^[\x21-\x7e]{1,256}$/.test(text))
    throw new InvalidArgumentError("write an x-request-id: 1 to 256 printable ASCII characters, no spaces");
  return text;
}

/** How many it was. With `tail`, no more than so many are held. */
function printNewest(lines: Iterable<string>, tail: number | undefined, out: Print): number {
  const held: string[] = [];
  let count = 0;
  for (const line of lines) {
    count += 1;
    if (tail === undefined) out(line);
    else if (held.push(line) > tail) held.shift();
  }
  for (const line of held) out(line);
  return count;
}

/** Ctrl-C ends it with 0: that is how it is meant to end. */
async function follow(show: () => void): Promise<void> {
  using stop = stopRequest();
  while ((await Promise.race([stop.asked, delay(pollMs)])) !== "stopped") show();
}

/**
 * For people what the terminal of `voda dev` would show, with the date; for programs the same lines as they
 * are written.
 */
function* shownOf(lines: Iterable<Written>, wanted: Wanted, how: Told): Generator<string> {
  const { isForPrograms, folder } = how;
  for (const { child, line, entry } of lines) {
    if (!isWanted(entry, wanted)) continue;
    const told = turnLine(child, line, { folder, clock: "dated" });
    if (told !== undefined && (!isForPrograms || entry !== undefined)) yield isForPrograms ? line : told;
  }
}

function isWanted(entry: ProgramLine | undefined, { agent, key, request }: Wanted): boolean {
  return (
    (agent === undefined || agentsOf(entry).includes(agent)) &&
    (key === undefined || entry?.key === key) &&
    (request === undefined || entry?.request === request)
  );
}

/** All logs of a folder as one, in the order of their times: of each file one chunk is in memory. */
class LogFiles implements Disposable {
  readonly #folder: string;
  readonly #readers = new Map<string, LogReader>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** What was written since the last time; at first all that is there. */
  *lines(): Generator<Written> {
    this.#find();
    if (this.#readers.size === 0) return;
    const heads = [...this.#readers].map(([child, reader]) => ({
      child,
      reader,
      head: next(child, reader, 0),
    }));
    for (;;) {
      const oldest = heads.reduce((a, b) =>
        (b.head?.atMs ?? Infinity) < (a.head?.atMs ?? Infinity) ? b : a,
      );
      if (oldest.head === undefined) return;
      yield oldest.head;
      oldest.head = next(oldest.child, oldest.reader, oldest.head.atMs);
    }
  }

  [Symbol.dispose](): void {
    for (const reader of this.#readers.values()) reader[Symbol.dispose]();
  }

  /** A mesh that starts with more nodes has more logs. */
  #find(): void {
    for (const name of this.#names()) {
      if (!name.endsWith(".log")) continue;
      const child = name.slice(0, -".log".length);
      if (!this.#readers.has(child)) this.#readers.set(child, new LogReader(join(this.#folder, name)));
    }
  }

  /** @throws CliError when the folder is there no more */
  #names(): string[] {
    try {
      return readdirSync(this.#folder);
    } catch (cause) {
      const words = `the logs in ${this.#folder} cannot be read any more: ${wordsOf(cause)}`;
      throw new CliError(words, exitCodes.notFound, { cause });
    }
  }
}

function next(child: string, reader: LogReader, beforeMs: number): Written | undefined {
  const line = reader.next();
  if (line === undefined) return undefined;
  const entry = parseProgramLine(line);
  const atMs = new Date(entry?.time ?? Number.NaN).getTime();
  return { child, line, entry, atMs: Number.isNaN(atMs) ? beforeMs : atMs };
}

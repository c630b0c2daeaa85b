// `voda ps --dead` and `voda dead`: messages between sessions that were given up.
import { toJson } from "@bufbuild/protobuf";
import { type DeadLetter, DeadLetterSchema, type SessionRef } from "@voda/proto/api";
import { defaultNamespace } from "@voda/proto/session";
import { type Command, InvalidArgumentError } from "commander";
import { type Api, connectApi } from "../api.ts";
import { CliError, exitCodes, failureOf } from "../failure.ts";
import { type ClientFlags, jsonOption, parseName, urlOption } from "../options.ts";
import { type Output, type Print, table } from "../print.ts";
import { requireAgent } from "./agents.ts";

/** As many as the control plane gives at once. */
const pageSize = 1_000;
/** Nobody reads more; what is left out is said. */
const shownMax = 10_000;

/** Of letters that are dropped at the same time. */
const dropsMax = 16;

type DeadFlags = Pick<ClientFlags, "url" | "json">;

interface DropFlags extends DeadFlags {
  readonly all?: true;
  readonly to?: string;
}

/** Each id is decided for itself: the first one that fails ends the command, those before it are done. */
export function addDead(program: Command, { out: print }: Output): void {
  const dead = program
    .command("dead")
    .description("retry or drop messages between sessions that were given up; `voda ps --dead` lists them");
  const retry = dead
    .command("retry")
    .description("deliver again; one that fails again stays")
    .argument("<id...>", "as `voda ps --dead` lists them", idsOf);
  retry.addOption(urlOption()).addOption(jsonOption());
  retry.action(async (ids: bigint[], flags: DeadFlags) => {
    const { sessions } = connectApi(flags.url);
    await decide(ids, "was taken", (id) => sessions.retryDeadLetter({ id }), { flags, print });
  });
  const drop = dead
    .command("drop")
    .description("forget for good")
    .argument("[id...]", "as `voda ps --dead` lists them", idsOf)
    .option("--all", "instead of ids: all that there are")
    .option("--to <agent>", "with --all: only those for this agent", parseName("agent"));
  drop.addOption(urlOption()).addOption(jsonOption());
  drop.action(async (ids: bigint[], flags: DropFlags) => {
    const problem = dropProblem(ids, flags);
    if (problem !== undefined) throw new CliError(problem, exitCodes.usage);
    const api = connectApi(flags.url);
    if (ids.length === 0) await dropAll(api, flags, print);
    else await decide(ids, "is dropped", (id) => api.sessions.dropDeadLetter({ id }), { flags, print });
  });
}

function dropProblem(ids: readonly bigint[], { all, to }: DropFlags): string | undefined {
  if (all === true && ids.length > 0) return "name ids, or all of them with --all: not both";
  if (all === true || (ids.length > 0 && to === undefined)) return undefined;
  return to === undefined ? "name ids, or all of them with --all" : "--to goes with --all";
}

/** One by one: what is taken is in the order in which it was asked for. */
async function decide(
  ids: readonly bigint[],
  done: string,
  act: (id: bigint) => Promise<{ readonly letter?: DeadLetter | undefined }>,
  { flags, print }: { readonly flags: DeadFlags; readonly print: Print },
): Promise<void> {
  for (const [at, id] of ids.entries()) {
    try {
      const { letter } = await act(id);
      if (letter === undefined) throw new Error("the control plane's answer names no letter");
      if (flags.json === true) print(JSON.stringify(toJson(DeadLetterSchema, letter)));
      else print(`${id} (${wayOf(letter)}) ${done}`);
    } catch (error) {
      throw undecided(error, id, ids.slice(at + 1), flags.json === true ? print : undefined);
    }
  }
}

/** `print`: for programs, which have had the letters before it. */
function undecided(error: unknown, id: bigint, left: readonly bigint[], print: Print | undefined): CliError {
  const { line, exitCode, facts } = failureOf(error);
  const rest = left.length === 0 ? "" : `; not tried: ${left.join(" ")}`;
  const name = `dead letter ${id}`;
  const message = `${line.includes(name) ? "" : `${name}: `}${line}${rest}`;
  const notTried = left.map(String);
  print?.(JSON.stringify({ error: { message, exitCode, ...facts }, id: String(id), notTried }));
  return new CliError(message, exitCode, facts && { facts });
}

async function dropAll(api: Api, { to, json }: DropFlags, print: Print): Promise<void> {
  let dropped = 0;
  for await (const letters of pagesOf(api)) {
    const meant = letters.filter(({ target }) => to === undefined || target?.agent === to);
    for (let at = 0; at < meant.length; at += dropsMax)
      await Promise.all(meant.slice(at, at + dropsMax).map(({ id }) => api.sessions.dropDeadLetter({ id })));
    dropped += meant.length;
  }
  // an agent that is gone may have dead letters: only where there were none it may be a slip
  if (dropped === 0 && to !== undefined) await requireAgent(api, to);
  print(json === true ? JSON.stringify({ dropped }) : `${dropped} dead letters are dropped`);
}

async function* pagesOf(api: Api): AsyncGenerator<readonly DeadLetter[]> {
  let pageToken = "";
  do {
    const page = await api.sessions.listDeadLetters({ pageSize, pageToken });
    yield page.letters;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

/** All namespaces: whoever looks for a message that did not arrive need not know whose it was. */
export async function printDead(api: Api, { json }: ClientFlags, print: Print): Promise<void> {
  const letters: DeadLetter[] = [];
  let more = false;
  for await (const page of pagesOf(api)) {
    more = letters.length >= shownMax;
    if (more) break;
    letters.push(...page);
  }
  if (json === true) {
    print(JSON.stringify({ letters: letters.map((letter) => toJson(DeadLetterSchema, letter)), more }));
    return;
  }
  if (letters.length === 0) print("no dead letters");
  else
    print(
      table(
        ["ID", "SENT", "FROM, TO AND HANDLER", "ATTEMPTS", "WHY"],
        letters.map((letter) => [
          String(letter.id),
          new Date(Number(letter.sentAtMs)).toISOString(),
          wayOf(letter),
          String(letter.attempts),
          `${letter.code}: ${letter.message}`,
        ]),
      ),
    );
  // a count of the list would be wrong
  if (more) print(`and more: ${shownMax} are shown at most`);
}

/** As `voda ps --dead` has it, so that both can be compared by eye. */
function wayOf({ sender, target, method }: DeadLetter): string {
  return `${nameOf(sender)} -> ${nameOf(target)} ${method}`;
}

/** The default namespace is left out, as everywhere in the command line. */
function nameOf(session: SessionRef | undefined): string {
  if (session === undefined) return "?";
  const { namespace, agent, key } = session;
  return `${namespace === defaultNamespace ? "" : `${namespace}:`}${agent}/${key}`;
}

/** Commander hands on what it was given for the arguments before; nothing for the first one. */
function idsOf(text: string, before: bigint[] | undefined): bigint[] {
  return [...(before ?? []), idOf(text)];
}

function idOf(text: string): bigint {
  if (!/^[1-9]\d{0,15}$/.test(text))
    throw new InvalidArgumentError("it is no id: `npx voda ps --dead` lists them");
  return BigInt(text);
}

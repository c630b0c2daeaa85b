// `voda ps --dead` and `voda dead`: messages between sessions that were given up.
import { toJson } from "@bufbuild/protobuf";
import { type DeadLetter, DeadLetterSchema, type SessionRef } from "@voda/proto/api";
import { defaultNamespace } from "@voda/proto/session";
import { type Command, InvalidArgumentError } from "commander";
import { type Api, connectApi } from "../api.ts";
import { type ClientFlags, jsonOption, urlOption } from "../options.ts";
import { type Output, type Print, table } from "../print.ts";

/** As many as the control plane gives at once. */
const pageSize = 1_000;
/** Nobody reads more; what is left out is said. */
const shownMax = 10_000;

/** Each id is decided for itself: the first one that fails ends the command, those before it are done. */
export function addDead(program: Command, { out: print }: Output): void {
  const dead = program
    .command("dead")
    .description("retry or drop messages between sessions that were given up; `voda ps --dead` lists them");
  const add = (name: "retry" | "drop", done: string, description: string): void => {
    const command = dead
      .command(name)
      .description(description)
      .argument("<id...>", "as `voda ps --dead` lists them", idsOf);
    command.addOption(urlOption()).addOption(jsonOption());
    command.action(async (ids: bigint[], flags: Pick<ClientFlags, "url" | "json">) => {
      const { sessions } = connectApi(flags.url);
      // one by one: what is taken is in the order in which it was asked for
      for (const id of ids) {
        const { letter } =
          name === "retry" ? await sessions.retryDeadLetter({ id }) : await sessions.dropDeadLetter({ id });
        if (letter === undefined) throw new Error("the control plane's answer names no letter");
        if (flags.json === true) print(JSON.stringify(toJson(DeadLetterSchema, letter)));
        else print(`${id} (${wayOf(letter)}) ${done}`);
      }
    });
  };
  add("retry", "was taken", "deliver again; one that fails again stays");
  add("drop", "is dropped", "forget for good");
}

/** All namespaces: whoever looks for a message that did not arrive need not know whose it was. */
export async function printDead(api: Api, { json }: ClientFlags, print: Print): Promise<void> {
  const letters: DeadLetter[] = [];
  let pageToken = "";
  do {
    const page = await api.sessions.listDeadLetters({ pageSize, pageToken });
    letters.push(...page.letters);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && letters.length < shownMax);
  const more = pageToken !== "";
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

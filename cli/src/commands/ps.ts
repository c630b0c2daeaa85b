import { toJson } from "@bufbuild/protobuf";
import { type Node, NodeSchema, type Session, SessionSchema } from "@voda/proto/api";
import type { Command } from "commander";
import { type Api, connectApi } from "../api.ts";
import { CliError, exitCodes } from "../failure.ts";
import { type ClientFlags, defaultDataDir, withClientFlags } from "../options.ts";
import { type Output, type Print, table } from "../print.ts";
import { parseSession } from "../session-argument.ts";
import { lockHolder } from "../up/lock.ts";
import { fillWords, isNearlyFull, storeFill } from "../up/store-fill.ts";
import { requireAgent, warnIfEmpty } from "./agents.ts";
import { printDead } from "./dead.ts";
import { printSession } from "./ps-session.ts";
import { sessionCells, sessionHead } from "./session-cells.ts";

interface PsFlags extends ClientFlags {
  readonly nodes?: true;
  readonly dead?: true;
}

/** As many as the control plane gives at once. */
const pageSize = 1000;
/** Nobody reads more, and a mesh may have millions: what is left out is said. */
const sessionsShownMax = 10_000;

/** `voda ps`: nodes, and sessions that a node has reported. */
export function addPs(program: Command, { out: print, err }: Output): void {
  const command = program
    .command("ps")
    .description("list sessions, nodes, or dead letters; of one session tell what it waits for")
    .argument("[agent]", "only sessions of this agent; AGENT/KEY: what that session waits for")
    .option("--nodes", "list the nodes")
    .option("--dead", "list messages between sessions that were given up");
  withClientFlags(command).action(async (agent: string | undefined, flags: PsFlags) => {
    const stray = strayOf(agent, flags);
    if (stray !== undefined) throw new CliError(stray, exitCodes.usage);
    const api = connectApi(flags.url);
    if (flags.dead === true) await printDead(api, flags, print);
    else if (flags.nodes === true) printNodes((await api.nodes.listNodes({})).nodes, flags, print);
    else if (agent?.includes("/"))
      await printSession(api, parseSession(agent, flags.namespace), flags.json === true, print);
    else {
      const listed = await listSessions(api, agent ?? "", flags.namespace ?? "");
      // Asked only now: a list that has sessions shows that the names are right.
      if (listed.sessions.length === 0) {
        const { namespace } = flags;
        if (agent !== undefined) await requireAgent(api, agent, namespace);
        else if (namespace !== undefined && (await warnIfEmpty(api, namespace, err)) && flags.json !== true)
          return;
      }
      printSessions(listed, flags, print);
    }
    // On standard error: the list itself is complete.
    const full = fullStoreHere(flags.url);
    if (full !== undefined) err(`voda: the store is ${full}; \`npx voda doctor\` says what to do`);
  });
}

/** What narrows a list of sessions, beside a list that is whole. */
function strayOf(agent: string | undefined, { dead, nodes, namespace }: PsFlags): string | undefined {
  if (dead === undefined && nodes === undefined) return undefined;
  const both = dead !== undefined && nodes !== undefined;
  const what =
    agent ?? (namespace === undefined ? undefined : "--namespace") ?? (both ? "--nodes" : undefined);
  if (what === undefined) return undefined;
  const all = dead === undefined ? "--nodes lists all nodes" : "--dead lists all dead letters";
  return `${all}: leave ${what} out`;
}

/** Only of the mesh that runs in this folder: its store is on this machine. */
function fullStoreHere(url: string): string | undefined {
  if (lockHolder(defaultDataDir)?.ingress !== url) return undefined;
  const fill = storeFill(defaultDataDir);
  return fill !== undefined && isNearlyFull(fill) ? fillWords(fill) : undefined;
}

/** Each page is of its own moment: a session may move meanwhile. */
async function listSessions(
  api: Api,
  agent: string,
  namespace: string,
): Promise<{ sessions: Session[]; more: boolean }> {
  const sessions: Session[] = [];
  let pageToken = "";
  do {
    const page = await api.sessions.listSessions({ agent, namespace, pageSize, pageToken });
    sessions.push(...page.sessions);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && sessions.length < sessionsShownMax);
  return { sessions: sessions.toSorted(byName), more: pageToken !== "" };
}

/** By agent and key, and keys that end in numbers by these. */
function byName(a: Session, b: Session): number {
  return order.compare(a.agent, b.agent) || order.compare(a.key, b.key);
}

const order = new Intl.Collator("en", { numeric: true });

/** `more` tells programs too that the list is not the whole: a count of it would be wrong. */
function printSessions(listed: { sessions: Session[]; more: boolean }, flags: PsFlags, print: Print): void {
  if (flags.json === true) {
    print(
      JSON.stringify({
        sessions: listed.sessions.map((session) => toJson(SessionSchema, session)),
        more: listed.more,
      }),
    );
    return;
  }
  if (listed.sessions.length === 0) print("no sessions yet: the first call of a key begins one");
  else
    print(
      table(
        sessionHead,
        listed.sessions.map((session) => [`${session.agent}/${session.key}`, ...sessionCells(session)]),
      ),
    );
  if (listed.more) print(`and more: ${sessionsShownMax} are shown at most; name an agent to see fewer`);
}

function printNodes(nodes: readonly Node[], flags: PsFlags, print: Print): void {
  if (flags.json === true) print(JSON.stringify({ nodes: nodes.map((node) => toJson(NodeSchema, node)) }));
  else if (nodes.length === 0) print("no nodes");
  else
    print(
      table(
        ["NODE", "ZONE", "READY", "INGRESS", "SESSIONS", "CPU", "MEMORY"],
        nodes.map(({ id, zone, ready, ingress, sessions, capacity, allocated }) => [
          id,
          zone === "" ? "-" : zone,
          ready ? "yes" : "no",
          ingress,
          String(sessions),
          share(allocated?.cpuMilli, capacity?.cpuMilli, 1000, ""),
          share(allocated?.memoryMib, capacity?.memoryMib, 1, " MiB"),
        ]),
      ),
    );
}

/** Absent of a node that was listed before it reported: it has promised nothing yet. */
function share(used: number | undefined, all: number | undefined, unit: number, name: string): string {
  return `${(used ?? 0) / unit} of ${(all ?? 0) / unit}${name}`;
}

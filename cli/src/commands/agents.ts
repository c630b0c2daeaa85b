// `voda agents`: what is deployed, and how to take it out of service.
import { toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Agent, AgentSchema, MethodAccess, MethodMode, SessionStatus } from "@voda/proto/api";
import { defaultNamespace, type SessionName } from "@voda/proto/session";
import { type Command, Option } from "commander";
import { didYouMean } from "voda/definition";
import { type Api, connectApi } from "../api.ts";
import { CliError, exitCodes } from "../failure.ts";
import { jsonOption, parseName, urlOption } from "../options.ts";
import { duration, firstOf, inOrderOfUse, type Output, table } from "../print.ts";

interface AgentsFlags {
  readonly url: string;
  readonly namespace: string;
  readonly json?: true;
}

/** Enough of a SHA-256 to tell revisions apart. */
const revisionCharacters = 12;

/** `voda agents`: `ls` and `undeploy`, for what earlier configs deployed too. */
export function addAgents(program: Command, { out: print }: Output): void {
  const agents = program.command("agents").description("see what is deployed, and undeploy it");
  const ls = agents
    .command("ls")
    .description("list the agents of a namespace, or the methods of one")
    .argument("[agent]", "name of the agent", parseName("agent"));
  withFlags(ls).action(async (name: string | undefined, { url, namespace, json }: AgentsFlags) => {
    const { agents: all } = await connectApi(url).agents.listAgents({ namespace });
    // The error suggests names of the list.
    const [one] = all.filter((agent) => agent.name === name);
    if (name !== undefined && one === undefined) throw noAgent(name, namespace, all);
    const shown = one === undefined ? all : [one];
    if (json === true) print(JSON.stringify({ agents: shown.map((agent) => toJson(AgentSchema, agent)) }));
    else if (one !== undefined)
      print(table(["METHOD", "MODE", "ACCESS", "MAX TURN", "DESCRIPTION"], methodsOf(one)));
    else if (all.length === 0) print(`no agents in namespace ${namespace}`);
    else print(table(["AGENT", "REVISION", "METHODS"], all.map(row)));
  });
  const undeploy = agents
    .command("undeploy")
    .description(
      "refuse calls to an agent from now on; its sessions are kept, deploying it again brings them back",
    )
    .argument("<agent>", "name of the agent", parseName("agent"));
  withFlags(undeploy).action(async (name: string, { url, namespace, json }: AgentsFlags) => {
    try {
      await connectApi(url).agents.undeployAgent({ namespace, name });
    } catch (error) {
      if (!(error instanceof ConnectError) || error.code !== Code.NotFound) throw error;
      const words = `${error.rawMessage}; \`npx voda agents ls\` lists those that are`;
      throw new CliError(words, exitCodes.notFound, { cause: error });
    }
    const text = `agent ${name} takes no calls any more; its sessions are kept, deploying it again brings them back`;
    print(json === true ? JSON.stringify({ undeployed: name, namespace }) : text);
  });
}

/** A name without agents is no error, and is mostly a slip. Whether it was told. */
export async function warnIfEmpty(
  api: Pick<Api, "agents">,
  namespace: string,
  err: (line: string) => void,
): Promise<boolean> {
  const { agents } = await api.agents.listAgents({ namespace });
  const isEmpty = agents.length === 0;
  if (isEmpty) err(`voda: no agent is deployed in namespace ${namespace}`);
  return isEmpty;
}

/** @throws CliError when it is not deployed */
export async function requireAgent(
  api: Api,
  agent: string,
  namespace: string = defaultNamespace,
): Promise<void> {
  const { agents } = await api.agents.listAgents({ namespace });
  if (!agents.some(({ name }) => name === agent)) throw noAgent(agent, namespace, agents);
}

/**
 * Tells why nothing is known of a session, where it is that nobody has called it. @throws CliError
 */
export async function requireSession(api: Api, session: SessionName): Promise<void> {
  const { namespace, agent, key } = session;
  await requireAgent(api, agent, namespace);
  const { session: found } = await api.sessions.getSession({ session });
  if (found?.status === SessionStatus.UNBORN)
    throw new CliError(
      `nothing of ${agent}/${key} is stored yet: nobody has called it, or its first call runs; \`npx voda ps ${agent}\` lists the sessions`,
      exitCodes.notFound,
    );
}

/** `deployed`: the agents of the namespace, one of which may be meant. */
function noAgent(name: string, namespace: string, deployed: readonly Agent[]): CliError {
  const names = deployed.map((agent) => agent.name);
  const words = `no agent ${JSON.stringify(name)} in namespace ${namespace}${didYouMean(name, names)}`;
  return new CliError(`${words}; \`npx voda agents ls\` lists the agents`, exitCodes.notFound);
}

function withFlags(command: Command): Command {
  const namespace = new Option("--namespace <name>", "trust domain")
    .default(defaultNamespace)
    .argParser(parseName("namespace"));
  return command.addOption(urlOption()).addOption(namespace).addOption(jsonOption());
}

const isInternal = ({ access }: Agent["methods"][number]): boolean => access === MethodAccess.INTERNAL;

/** `MAX`: how long a call of it may run. */
function methodsOf({ methods, turnMsMax: agentsMax }: Agent): string[][] {
  return inOrderOfUse(methods, isInternal).map(({ name, mode, access, turnMsMax, description }) => [
    name,
    mode === MethodMode.READONLY ? "readonly" : "handler",
    access === MethodAccess.INTERNAL ? "internal" : "public",
    duration(turnMsMax || agentsMax),
    description,
  ]);
}

function row({ name, revision, methods }: Agent): string[] {
  return [
    name,
    revision.slice(0, revisionCharacters),
    firstOf(
      inOrderOfUse(methods, isInternal).map(
        (method) => `${method.name}${isInternal(method) ? " (internal)" : ""}`,
      ),
      ", ",
    ),
  ];
}

// Whether a deployment may go in: the bundle's hash and size, the names, and the schema against the running
// revision.
import { type Agent, type DeployAgentsRequest, MethodMode } from "@voda/proto/api";
import { fieldKindNames, isFieldKind } from "@voda/proto/fields";
import { identifierProblem } from "@voda/proto/session";
import { descriptionCharsMax } from "@voda/proto/wire";
import { ControlError } from "../errors.ts";
import { placeProblem } from "./check-place.ts";

/** Of one bundle: it is held in memory here and on each node while it is stored. */
export const bundleBytesMax = 16 * 1024 * 1024;
/** Of one bundle. */
const agentsMax = 256;
/** Fields, and methods, of one agent. */
const membersMax = 1024;
/** Of one turn, as its agent or its handler allows. */
const turnMsMaxMax = 3_600_000;
/** A name is a property of `ctx.state` or a part of a path. */
/** The handler by which agents with workflows go on with them, as the SDK names it. */
const workflowTurn = "_workflow";
const memberName = /^[A-Za-z_][A-Za-z0-9_-]{0,127}$/;
/** As protobuf has them: `package.Service`. */
const serviceName = /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$/;

/** @throws ControlError `bad_request` or `too_large` */
export function checkDeploy(request: DeployAgentsRequest, sha256: string): void {
  const { bundle, agents } = request;
  if (bundle.length > bundleBytesMax) {
    throw ControlError.of(
      "too_large",
      `bundle of ${bundle.length} bytes exceeds bundleBytesMax ${bundleBytesMax}`,
    );
  }
  const problem =
    requestProblem(bundle, agents) ??
    agents.map((agent) => agentProblem(agent, sha256)).find((one) => one !== undefined);
  if (problem !== undefined) throw ControlError.of("bad_request", problem);
}

function requestProblem(bundle: Uint8Array, agents: readonly Agent[]): string | undefined {
  if (bundle.length === 0) return "the bundle is empty";
  if (agents.length === 0) return "the deployment names no agent";
  if (agents.length > agentsMax) return `${agents.length} agents exceed agentsMax ${agentsMax}`;
  const twice = firstTwice(agents.map((agent) => `${agent.namespace}/${agent.name}`));
  return twice === undefined ? undefined : `agent ${twice} is in the deployment twice`;
}

/** The SDK checks most of it too; a request may come from anything that speaks the API. */
function agentProblem(agent: Agent, sha256: string): string | undefined {
  const name = identifierProblem("namespace", agent.namespace) ?? identifierProblem("agent", agent.name);
  if (name !== undefined) return name;
  if (agent.revision !== sha256)
    return `agent ${agent.name}: revision ${agent.revision.slice(0, 80)} is not the bundle's SHA-256 ${sha256}`;
  const problem = fieldsProblem(agent) ?? methodsProblem(agent) ?? limitsProblem(agent);
  return problem === undefined ? undefined : `agent ${agent.name}: ${problem}`;
}

function fieldsProblem({ fields }: Agent): string | undefined {
  for (const { name, kind } of fields) {
    if (!memberName.test(name)) return `field ${JSON.stringify(name.slice(0, 80))} is not a name`;
    if (!isFieldKind(kind))
      return `field ${name} has kind ${JSON.stringify(kind.slice(0, 80))}; known are ${fieldKindNames.join(", ")}`;
  }
  return membersProblem(
    "field",
    fields.map((field) => field.name),
  );
}

function methodsProblem({ methods }: Agent): string | undefined {
  for (const { name, mode, service, rpc, turnMsMax, description } of methods) {
    if (!memberName.test(name)) return `method ${JSON.stringify(name.slice(0, 80))} is not a name`;
    if (mode !== MethodMode.HANDLER && mode !== MethodMode.READONLY)
      return `method ${name} is neither HANDLER nor READONLY`;
    if ((service === "") !== (rpc === ""))
      return `method ${name} names a service or an rpc without the other`;
    if (service !== "" && !serviceName.test(service))
      return `method ${name}: ${JSON.stringify(service.slice(0, 80))} is not a service`;
    if (turnMsMax > turnMsMaxMax)
      return `method ${name}: turnMsMax of ${turnMsMax} exceeds turnMsMaxMax ${turnMsMaxMax}`;
    if (description.length > descriptionCharsMax)
      return `method ${name}: a description of ${description.length} characters exceeds descriptionCharsMax ${descriptionCharsMax}`;
  }
  return membersProblem(
    "method",
    methods.map((method) => method.name),
  );
}

function membersProblem(what: string, names: readonly string[]): string | undefined {
  if (names.length > membersMax) return `${names.length} ${what}s exceed membersMax ${membersMax}`;
  const twice = firstTwice(names);
  return twice === undefined ? undefined : `${what} ${twice} is there twice`;
}

/** 0 is what protobuf has for a limit that was not sent. */
function limitsProblem(agent: Agent): string | undefined {
  for (const limit of ["idleMs", "turnMsMax", "queueMax"] as const) {
    if (agent[limit] === 0) return `${limit} is 0; it must be at least 1`;
  }
  return placeProblem(agent);
}

/**
 * State outlives a revision: a field may come and go, but not become another kind, and not be renamed
 * unnoticed.
 * @throws ControlError `schema`
 */
export function checkSchema(running: Agent, next: Agent): void {
  const problem =
    kindProblem(running, next) ?? renameProblem(running, next) ?? workflowProblem(running, next);
  if (problem !== undefined) throw ControlError.of("schema", `agent ${next.name}: ${problem}`);
}

function kindProblem(running: Agent, next: Agent): string | undefined {
  const kinds = new Map(running.fields.map((field) => [field.name, field.kind]));
  const other = next.fields.find(({ name, kind }) => kinds.has(name) && kinds.get(name) !== kind);
  if (other === undefined) return undefined;
  return (
    `field ${other.name} is a ${kinds.get(other.name)} in the running revision ` +
    `and a ${other.kind} in the new one; give the new field another name`
  );
}

/**
 * A field that goes while another of its kind comes was most likely renamed, and every session would silently
 * show the new one's initial value. Whoever means it does the two steps one by one.
 */
function renameProblem(running: Agent, next: Agent): string | undefined {
  const before = new Set(running.fields.map(({ name }) => name));
  const after = new Set(next.fields.map(({ name }) => name));
  for (const { name, kind } of next.fields) {
    const gone = running.fields.find((field) => field.kind === kind && !after.has(field.name));
    // what begins with _ is the SDK's, and no name that anybody gave
    if (before.has(name) || gone === undefined || name.startsWith("_")) continue;
    return (
      `field ${gone.name} is gone and ${name}, a ${kind} too, is new: a rename takes no values along, ` +
      `sessions keep theirs under ${gone.name}. Keep that name; ` +
      `or, if both is meant, deploy without ${gone.name} first, then with ${name}`
    );
  }
  return undefined;
}

/** What has workflows run has timers too: they would call what is not there, for ever. */
function workflowProblem(running: Agent, next: Agent): string | undefined {
  const hasThem = ({ methods }: Agent): boolean => methods.some(({ name }) => name === workflowTurn);
  if (!hasThem(running) || hasThem(next)) return undefined;
  return (
    "the running revision has workflows, and sessions may have some that have not ended: keep " +
    ".workflows({}), if need be without any; they wait there for a revision that has them"
  );
}

function firstTwice(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size);
}

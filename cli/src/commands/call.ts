import { join } from "node:path";
import { headers } from "@voda/proto/wire";
import { wordsOf } from "@voda/stdx";
import type { Command } from "commander";
import { adviceFor, CliError, errorFacts, exitCodes } from "../failure.ts";
import { type ClientFlags, defaultDataDir, withClientFlags } from "../options.ts";
import type { Output } from "../print.ts";
import { methodPath, parseSession } from "../session-argument.ts";
import { lockHolder } from "../up/lock.ts";
import { logsFolder } from "../up/mesh.ts";

interface CallFlags extends ClientFlags {
  readonly id?: string;
}

/** `voda call`: prints what any client would be answered. */
export function addCall(program: Command, { out, exact }: Output): void {
  const command = program
    .command("call")
    .description("call a method of a session")
    .argument("<session>", "AGENT/KEY")
    .argument("<method>", "name of the method")
    .argument("[input]", "input as JSON")
    .option("--id <key>", "idempotency key: the same call again takes effect once");
  withClientFlags(command).action(
    async (session: string, method: string, input: string | undefined, flags: CallFlags) => {
      // Escaped it is the same JSON; to what is no terminal goes what the node wrote.
      const print = process.stdout.isTTY ? out : exact;
      const answer = await call(session, method, input, flags);
      // A method that returns nothing answers nothing; a program that asked for JSON gets a value all the
      // same.
      if (answer !== "") print(answer);
      else if (flags.json === true) print("null");
    },
  );
}

/** The answer as the node wrote it: JSON, or nothing where the method returns nothing. */
async function call(
  session: string,
  method: string,
  input: string | undefined,
  flags: CallFlags,
): Promise<string> {
  const path = methodPath(parseSession(session, flags.namespace), method);
  if (input !== undefined) requireJson(input);
  // Once and without a limit of its own: people see what the mesh says, and how long it takes to say it.
  const response = await fetch(`${flags.url}${path}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(flags.id !== undefined && { [headers.idempotencyKey]: flags.id }),
    },
    ...(input !== undefined && { body: input }),
  });
  const body = await response.text();
  // Also a body that is no JSON: a proxy between may have answered.
  if (!response.ok) throw refusal(response, body, flags.url);
  return body.trimEnd();
}

/** Before it is sent: the node would say where in the JSON, but not that the shell took the quotes away. */
function requireJson(input: string): void {
  try {
    JSON.parse(input);
  } catch (cause) {
    const reason = wordsOf(cause);
    throw new CliError(
      `the input is not JSON (${reason}); quote it for the shell, as in '{"x":1}' or '"text"'`,
      exitCodes.usage,
      {
        cause,
      },
    );
  }
}

/** Connect's error body, or whatever a proxy answered. */
function refusal({ status, headers: head }: Response, body: string, url: string): CliError {
  const { code, message, details = [] } = connectError(body);
  // Connect names the code in the body; the status alone would fit several.
  const known = code ?? codeOfStatus(status);
  const facts = errorFacts(known, details, head.get(headers.requestId));
  const { exitCode, next = logHere(message ?? "", url) } = adviceFor(facts);
  const said = message ?? `HTTP ${status} ${body.slice(0, 200)}`.trim();
  return new CliError(`${known}: ${said}${next === undefined ? "" : `; ${next}`}`, exitCode, { facts });
}

/** A failure of an agent's own code names the node whose log has it: how to see it, of this folder's mesh. */
function logHere(message: string, url: string): string | undefined {
  // Words of `worker/activation.ts`: they name the node, not the file, which only this machine knows.
  const [, node, request] =
    /the log of node ([\w.-]+) has it(?: as request ([\w.:-]+)(?=; |$))?/.exec(message) ?? [];
  if (node === undefined || lockHolder(defaultDataDir)?.ingress !== url) return undefined;
  if (request !== undefined) return `npx voda logs --request ${request}`;
  return `see ${join(logsFolder(defaultDataDir), `${node}.log`)}`;
}

/** Whatever is not one is somebody else's answer, such as a proxy's page: then its status counts. */
function connectError(body: string): { code?: string; message?: string; details?: readonly unknown[] } {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
  if (typeof value !== "object" || value === null || !("code" in value) || typeof value.code !== "string")
    return {};
  return {
    code: value.code,
    ...("message" in value && typeof value.message === "string" && { message: value.message }),
    ...("details" in value && Array.isArray(value.details) && { details: value.details }),
  };
}

/** Of answers that Envoy or another proxy gave by itself, by the meaning that gRPC gives to them. */
function codeOfStatus(status: number): string {
  if (status === 404) return "not_found";
  return status === 502 || status === 503 || status === 504 ? "unavailable" : "unknown";
}

// `voda sleep`, `voda wake` and `voda accept-loss`.
import { toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type LostSession,
  LostSessionSchema,
  type Session,
  SessionSchema,
  SessionStatus,
} from "@voda/proto/api";
import type { SessionName } from "@voda/proto/session";
import type { Command } from "commander";
import { type Api, connectApi } from "../api.ts";
import { lostWords } from "../doctor/lost-sessions.ts";
import { type ClientFlags, withClientFlags } from "../options.ts";
import type { Output, Print } from "../print.ts";
import { parseSession } from "../session-argument.ts";
import { requireSession } from "./agents.ts";
import { statusWord } from "./session-cells.ts";

/** `voda sleep`, `voda wake`, and `voda accept-loss` for a session that `data_loss` keeps from waking. */
export function addLife(program: Command, { out: print, err }: Output): void {
  const sleep = program
    .command("sleep")
    .description("write a session to its log and free its memory")
    .argument("<session>", "AGENT/KEY");
  withClientFlags(sleep).action(async (text: string, flags: ClientFlags) => {
    const session = parseSession(text, flags.namespace);
    const { session: slept } = await connectApi(flags.url).sessions.sleepSession({ session });
    show([slept], flags, print);
    // No error: it is not in memory, as was asked.
    if (slept?.status === SessionStatus.UNBORN)
      err(
        "voda: nobody has called it, so that there is nothing to put to sleep; " +
          `\`npx voda ps ${session.agent}\` lists the sessions`,
      );
  });
  const wake = program
    .command("wake")
    .description("load a session on a node without calling it; several are all loaded, or none")
    .argument("<session...>", "AGENT/KEY");
  withClientFlags(wake).action(async (texts: string[], flags: ClientFlags) => {
    const { sessions } = connectApi(flags.url);
    const names = texts.map((text) => parseSession(text, flags.namespace));
    const [session, ...more] = names;
    // One wakes where it was, or where there is room; several only if there is room for all.
    if (more.length === 0) show([(await sessions.wakeSession({ session })).session], flags, print);
    else show((await sessions.wakeSessions({ sessions: names })).sessions, flags, print);
  });
  // Its own command, not a flag of `wake`: nobody should give data up in passing.
  const accept = program
    .command("accept-loss")
    .description(
      "let a session that lost records go on from what can be read of it; the rest is given up for good",
    )
    .argument("<session>", "AGENT/KEY");
  withClientFlags(accept).action(async (text: string, flags: ClientFlags) => {
    const session = parseSession(text, flags.namespace);
    const api = connectApi(flags.url);
    const { lost } = await api.sessions
      .acceptLoss({ session })
      .catch((error: unknown) => explain(api, session, error));
    if (lost === undefined) throw new Error("the control plane's answer names no session");
    if (flags.json === true) print(JSON.stringify(toJson(LostSessionSchema, lost)));
    else print(`${text} ${acceptedWords(lost)}`);
  });
}

/** A session that never was has lost nothing either, but that is not what is wrong. */
async function explain(api: Api, session: SessionName, error: unknown): Promise<never> {
  if (error instanceof ConnectError && error.code === Code.InvalidArgument)
    await requireSession(api, session);
  throw error;
}

/** The control plane sees the end of a log only: a hole before it is found by the node that reads it all. */
export function acceptedWords(lost: LostSession): string {
  if (lost.lastSequence >= lost.acknowledgedSequence)
    return "has its last acknowledged record: nothing is given up, unless it answered data_loss for records before that one";
  return `goes on from ${lostWords(lost)}; whatever was acknowledged after that is given up`;
}

/** One as an object, several as a list. */
function show(sessions: readonly (Session | undefined)[], flags: ClientFlags, print: Print): void {
  // The type of a message allows that it is missing; an answer without it is a fault of the control plane.
  const there = sessions.filter((session) => session !== undefined);
  if (there.length === 0) throw new Error("the control plane's answer names no session");
  if (flags.json === true) {
    const [first, ...more] = there.map((session) => toJson(SessionSchema, session));
    print(JSON.stringify(more.length === 0 ? first : { sessions: [first, ...more] }));
  } else
    for (const { agent, key, status, node } of there)
      print(`${agent}/${key} is ${statusWord(status)}${node === "" ? "" : ` on ${node}`}`);
}

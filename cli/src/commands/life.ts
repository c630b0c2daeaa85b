// `voda sleep` and `voda wake`.
import { toJson } from "@bufbuild/protobuf";
import { type Session, SessionSchema } from "@voda/proto/api";
import type { Command } from "commander";
import { type Api, connectApi } from "../api.ts";
import { type ClientFlags, withClientFlags } from "../options.ts";
import type { Print } from "../print.ts";
import { parseSession } from "../session-argument.ts";
import { statusWord } from "./ps.ts";

type Move = (api: Api, session: { namespace: string; agent: string; key: string }) => Promise<Session | undefined>;

export function addLife(program: Command, print: Print): void {
  add(program, print, "sleep", "write a session to its log and free its memory", async (api, session) => {
    return (await api.sessions.sleepSession({ session })).session;
  });
  add(program, print, "wake", "load a session on a node without calling it", async (api, session) => {
    return (await api.sessions.wakeSession({ session })).session;
  });
}

function add(program: Command, print: Print, name: string, description: string, move: Move): void {
  const command = program.command(name).description(description).argument("<session>", "AGENT/KEY");
  withClientFlags(command).action(async (text: string, flags: ClientFlags) => {
    const session = await move(connectApi(flags.url), parseSession(text, flags.namespace));
    if (session === undefined) throw new Error(`the control plane's answer to ${name} names no session`);
    if (flags.json === true) print(JSON.stringify(toJson(SessionSchema, session)));
    else
      print(
        `${session.agent}/${session.key} is ${statusWord(session.status)}${session.node === "" ? "" : ` on ${session.node}`}`,
      );
  });
}

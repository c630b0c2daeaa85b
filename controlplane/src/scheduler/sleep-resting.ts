// Asks a node to put a session to sleep that has rested: how room is made.
import { CommandKind } from "@voda/proto/node";
import { sessionToken } from "@voda/proto/session";
import type { Logger } from "pino";
import type { Directory } from "../directory/directory.ts";
import { ControlError } from "../errors.ts";
import { type CommandContext, sendCommand } from "../nats/command.ts";
import { type RoomMakerOptions, roomIdleMsMin, type Slept, sleepMsMax } from "./room-maker.ts";

/** How nodes are commanded, and who knows the names of what they hold. */
export interface RestingSleeperOptions {
  readonly commands: CommandContext;
  readonly directory: Directory;
  readonly log: Logger;
}

/** What it returns never rejects: a node that cannot be asked is `away`. */
export function restingSleeper({
  commands,
  directory,
  log,
}: RestingSleeperOptions): RoomMakerOptions["putToSleep"] {
  return async (session, node): Promise<Slept> => {
    const holder = directory.holderOf(session);
    if (holder === undefined) return "away";
    const { name, epoch } = holder;
    const command = {
      kind: CommandKind.SLEEP,
      name,
      node,
      grant: "",
      timeoutMs: sleepMsMax,
      idleMsMin: roomIdleMsMin,
    };
    try {
      await sendCommand(commands, command);
      // its report may be late, and another one would sleep in vain
      directory.told(sessionToken(name), { node, epoch, isAwake: false });
      log.info({ session: name, node }, "session sleeps to make room");
      return "asleep";
    } catch (err) {
      if (err instanceof ControlError && err.reason === "not_rested") return "busy";
      log.warn({ err, session: name, node }, "session not put to sleep to make room");
      return "away";
    }
  };
}

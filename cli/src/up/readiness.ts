// How each kind of child shows that it serves. None has a deadline: a server that recovers a large store is
// at work, and to kill it is to make it begin again. Standard output is no channel of ours: what users print
// goes there too.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import * as v from "valibot";
import { adminIsReady } from "./edge-folder.ts";
import { loopback } from "./ports.ts";

/** A child either tells it over its IPC channel, or is asked again and again. */
export type Readiness =
  | { readonly type: "told" }
  | { readonly type: "asked"; readonly ask: (signal: AbortSignal) => Promise<boolean> };

const askEveryMs = 15;
const greetingMsMax = 1000;
const noNodeStatus = 503;
const ReadyMessage = v.object({ ready: v.literal(true) });

/** voda's own programs send one message. */
export const told: Readiness = { type: "told" };

/** Resolves when the child serves; `signal` ends when its process does. */
export async function serving(readiness: Readiness, child: ChildProcess, signal: AbortSignal): Promise<void> {
  if (readiness.type === "told") {
    let message: unknown;
    do [message] = (await once(child, "message", { signal })) as [unknown];
    while (!v.is(ReadyMessage, message));
  } else while (!(await readiness.ask(signal))) await delay(askEveryMs, undefined, { signal });
}

/** nats-server greets each connection with INFO, once it has recovered its streams. */
export function greetsAsNats(port: number): Readiness {
  return { type: "asked", ask: () => greets(port) };
}

/** Envoy says that it is ready once the first configuration has come. */
export function answersAsEnvoy(adminSocket: string): Readiness {
  return { type: "asked", ask: (signal) => adminIsReady(adminSocket, signal) };
}

/**
 * Whether Envoy passes on what is sent to sessions. Asked as a browser asks before it sends: any node answers
 * that, nothing is placed for it, and where no node is known the answer is 503.
 */
export async function passesToNode(ingressUrl: string): Promise<boolean> {
  const response = await fetch(`${ingressUrl}/agents/`, { method: "OPTIONS" });
  await response.body?.cancel();
  return response.status !== noNodeStatus;
}

function greets(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, loopback);
  socket.setTimeout(greetingMsMax, () => socket.destroy());
  socket.once("data", (data) => {
    resolve(data.toString("latin1").startsWith("INFO "));
    socket.destroy();
  });
  socket.on("error", () => resolve(false));
  socket.on("close", () => resolve(false));
  return promise;
}

// How each kind of child shows that it serves.
import { once } from "node:events";
import { connect } from "node:net";
import type { Interface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import * as v from "valibot";
import { loopback } from "./ports.ts";

/** What a probe may look at; `signal` ends when the process dies or its time is over. */
export interface Started {
  /** Standard output, before its first line. */
  readonly stdout: Interface;
  readonly signal: AbortSignal;
}

export type Readiness = (started: Started) => Promise<void>;

const probeEveryMs = 15;
const ReadyLine = v.object({ ready: v.literal(true) });

/** voda's own programs print one line of JSON. */
export const saysReady: Readiness = async ({ stdout, signal }) => {
  const [line] = (await once(stdout, "line", { signal })) as [string];
  let said: unknown;
  try {
    said = JSON.parse(line);
  } catch (cause) {
    throw new Error(`the first line is no ready line: ${line.slice(0, 200)}`, { cause });
  }
  if (!v.is(ReadyLine, said)) throw new Error(`the first line is no ready line: ${line.slice(0, 200)}`);
};

/** nats-server greets each connection with INFO. */
export function greetsAsNats(port: number): Readiness {
  return ({ signal }) => until(() => greets(port), signal);
}

/** Envoy's admin port answers 200 once the first configuration has come. */
export function adminIsReady(port: number): Readiness {
  return ({ signal }) =>
    until(async () => {
      try {
        const response = await fetch(`http://${loopback}:${port}/ready`, { signal });
        await response.body?.cancel();
        return response.status === 200;
      } catch (error) {
        if (error instanceof TypeError) return false; // nothing listens yet
        throw error;
      }
    }, signal);
}

async function until(holds: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  while (!(await holds())) await delay(probeEveryMs, undefined, { signal });
}

function greets(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, loopback);
  socket.setTimeout(1000, () => socket.destroy());
  socket.once("data", (data) => {
    resolve(data.toString("latin1").startsWith("INFO "));
    socket.destroy();
  });
  socket.on("error", () => resolve(false));
  socket.on("close", () => resolve(false));
  return promise;
}

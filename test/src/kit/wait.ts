import { once } from "node:events";
import { createServer } from "node:net";

/** A condition may cost the processor that it waits for: the longer it takes, the less often it is asked. */
const pollMsMin = 5;
const pollMsMax = 50;
const pollShare = 0.05;
/**
 * For what comes soon on a calm machine, and late on a busy one; before the deadline of a call that names
 * none ends what the test waits for.
 */
const patienceMs = 30_000;

/**
 * Resolves with the first truthy value of `condition`; the error names what did not happen. `withinMs` is for
 * what must not come later. @throws after `withinMs`
 */
export async function waitUntil<T>(
  condition: () => T | Promise<T>,
  what: string,
  withinMs: number = patienceMs,
): Promise<Exclude<T, false | undefined | null | 0 | "">> {
  const started = performance.now();
  for (;;) {
    const value = await condition();
    if (value) return value as Exclude<T, false | undefined | null | 0 | "">;
    const waitedMs = performance.now() - started;
    if (waitedMs > withinMs) throw new Error(`waited ${withinMs} ms in vain until ${what}`);
    const pollMs = Math.min(pollMsMax, Math.max(pollMsMin, waitedMs * pollShare));
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** A port of 127.0.0.1 that was free a moment ago; prefer to let the server choose. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string")
    throw new Error("a listening TCP server without a port");
  return address.port;
}

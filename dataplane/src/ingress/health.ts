import type { CallerSide } from "./exchange.ts";

/** `GET /healthz`: a node that closes says so before it is gone. No body is asked for, so none is awaited. */
export function answerHealth(caller: CallerSide, isClosing: boolean): void {
  const [status, text] = isClosing ? [503, "draining\n"] : [200, "ok\n"];
  caller.send({ status, headers: { "content-type": "text/plain" }, body: Buffer.from(text) });
  caller.discard();
}

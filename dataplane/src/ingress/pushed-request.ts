// Requests of HTTP/1.1 whose bodies are not streams.
import { IncomingMessage } from "node:http";
import type { Pace } from "./pace.ts";

/** Takes a body as it comes. */
interface Sink {
  push(chunk: Buffer): void;
  end(): void;
}

/**
 * A request that hands its body on as the parser gives it: as a stream it would take longer than all else
 * that is done for a small call.
 */
export class PushedRequest extends IncomingMessage {
  pace: Pace | undefined;
  #sink: Sink | undefined;
  /** What came before the request had its turn. */
  #held: (Buffer | null)[] | undefined;

  /** The first who takes the body, or who drops the rest of it. */
  get sink(): Sink | undefined {
    return this.#sink;
  }

  set sink(sink: Sink) {
    this.#sink = sink;
    const held = this.#held;
    this.#held = undefined;
    for (const chunk of held ?? []) this.#hand(chunk);
  }

  override push(chunk: Buffer | null): boolean {
    if (chunk !== null) this.pace?.chunk();
    if (this.#sink === undefined) (this.#held ??= []).push(chunk);
    else this.#hand(chunk);
    return true;
  }

  #hand(chunk: Buffer | null): void {
    if (chunk === null) this.#sink?.end();
    else this.#sink?.push(chunk);
  }
}

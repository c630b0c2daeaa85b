// Bodies to inputs and results to bodies, in the worker: the only place of a node that looks into a body.
import { create, fromBinary, fromJson, type Message, toBinary, toJson } from "@bufbuild/protobuf";
import { type Handler, sentProblem } from "voda/definition";
import { type Answer, type Content, fail } from "../call/index.ts";

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true });
const NOTHING = new Uint8Array(0);

/** Input that the handler cannot take: the caller's mistake. */
export class BadInput extends Error {
  override readonly name = "BadInput";
}

/** @throws BadInput */
export function decodeInput(handler: Handler, content: Content, body: Uint8Array): unknown {
  if (handler.kind === "proto") {
    try {
      return content === "proto"
        ? fromBinary(handler.input, body)
        : fromJson(handler.input, body.length === 0 ? {} : parseJson(body), { ignoreUnknownFields: true });
    } catch (cause) {
      if (cause instanceof BadInput) throw cause;
      throw new BadInput(`the body is not a ${handler.input.typeName}: ${text(cause)}`, { cause });
    }
  }
  if (content === "proto") throw new BadInput("this handler takes JSON; send content-type application/json");
  return body.length === 0 ? undefined : parseJson(body);
}

/** The handler's result as a body; a result that has no JSON form is the handler's bug and becomes an `internal` failure. */
export function encodeOutput(handler: Handler, content: Content, result: unknown): Answer {
  try {
    if (handler.kind === "proto") {
      const message = create(handler.output, (result ?? {}) as Partial<Message>);
      const body =
        content === "proto"
          ? toBinary(handler.output, message)
          : utf8.encode(JSON.stringify(toJson(handler.output, message)));
      return { ok: true, content, body };
    }
    if (result === undefined) return { ok: true, content, body: NOTHING };
    const problem = sentProblem(result, "the handler's answer");
    if (problem !== undefined) return fail("internal", problem);
    return { ok: true, content, body: utf8.encode(JSON.stringify(result)) };
  } catch (cause) {
    return fail("internal", `the handler's result cannot be encoded: ${text(cause)}`);
  }
}

function parseJson(body: Uint8Array): ReturnType<typeof JSON.parse> {
  try {
    return JSON.parse(strictUtf8.decode(body));
  } catch (cause) {
    throw new BadInput(`the body is not JSON: ${text(cause)}`, { cause });
  }
}

function text(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

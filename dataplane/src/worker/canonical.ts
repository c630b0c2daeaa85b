// What a call means, however it is written: two bodies with the same canonical hash are the same call
// (PROTOCOL.md 10.5).
import { type JsonValue, type Message, toJson } from "@bufbuild/protobuf";
import { hash16 } from "@voda/proto/hash16";
import type { Handler } from "voda/definition";
import type { SessionCall } from "../call/index.ts";
import { decodeInput, registryOf } from "./convert.ts";

/**
 * 16 bytes over method and input: JSON with sorted keys, whatever the content. `undefined`: the input cannot
 * be read.
 */
export function canonicalHash(handler: Handler, call: SessionCall): Uint8Array | undefined {
  try {
    return hashOf(call.method, inputOf(handler, call));
  } catch {
    return undefined; // the caller hears why when the call runs
  }
}

function inputOf(handler: Handler, { content, body }: SessionCall): JsonValue | undefined {
  const input = decodeInput(handler, content, body);
  return handler.type === "proto"
    ? toJson(handler.input, input as Message, { registry: registryOf(handler.input) })
    : (input as JsonValue | undefined);
}

function hashOf(method: string, input: JsonValue | undefined): Uint8Array {
  const text = input === undefined ? "" : JSON.stringify(input, sortKeys);
  return hash16(`${method}\n${text}`);
}

/** Keys that look like numbers come first in any object; the others in the order of their code units. */
function sortKeys(_: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

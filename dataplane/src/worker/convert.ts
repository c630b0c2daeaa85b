// Bodies to inputs and results to bodies, in the worker: the only place of a node that looks into a body.
import {
  create,
  createRegistry,
  type DescFile,
  type DescMessage,
  fromBinary,
  fromJson,
  type Message,
  type Registry,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import {
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";
import { wordsOf } from "@voda/stdx";
import { bodyDepthMax, type Handler, sentProblem } from "voda/definition";
import { type Answer, type Content, fail } from "../call/index.ts";
import { checkJsonForm } from "./check-message.ts";
import { textOf } from "./thrown.ts";

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true });
const noBytes = new Uint8Array(0);

/** Input that the handler cannot take: the caller's mistake. */
export class BadInput extends Error {
  override readonly name = "BadInput";
}

/** @throws BadInput */
export function decodeInput(handler: Handler, content: Content, body: Uint8Array): unknown {
  if (handler.type === "proto") {
    try {
      return content === "proto"
        ? fromBinary(handler.input, body)
        : fromJson(handler.input, body.length === 0 ? {} : parseJson(body), {
            ignoreUnknownFields: true,
            registry: registryOf(handler.input),
          });
    } catch (cause) {
      if (cause instanceof BadInput) throw cause;
      throw new BadInput(`the body is not a ${handler.input.typeName}: ${text(cause)}`, { cause });
    }
  }
  if (content === "proto") throw new BadInput("this handler takes JSON; send content-type application/json");
  return body.length === 0 ? undefined : parseJson(body);
}

/**
 * The handler's result as a body; a result that has no JSON form is the handler's bug and becomes an
 * `internal` failure.
 */
export function encodeOutput(handler: Handler, content: Content, result: unknown): Answer {
  try {
    if (handler.type === "proto") {
      return { ok: true, content, body: encodeMessage(handler.output, content, result) };
    }
    if (result === undefined) return { ok: true, content, body: noBytes };
    const problem = sentProblem(result, "the handler's answer");
    if (problem !== undefined) return fail("internal", problem);
    return { ok: true, content, body: utf8.encode(JSON.stringify(result)) };
  } catch (cause) {
    return fail("internal", `the handler's result cannot be encoded: ${text(cause)}`);
  }
}

/**
 * The binary form checks numbers, the JSON form well-known types: a message that fails in one is refused in
 * both.
 */
function encodeMessage(desc: DescMessage, content: Content, result: unknown): Uint8Array {
  const message = create(desc, (result ?? {}) as Partial<Message>);
  const binary = toBinary(desc, message);
  if (content === "json")
    return utf8.encode(JSON.stringify(toJson(desc, message, { registry: registryOf(desc) })));
  checkJsonForm(desc, message);
  return binary;
}

const wellKnown = [
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
];
const registries = new Map<DescFile, Registry>();

/**
 * What an Any may hold in JSON: well-known types, and those of the service's file and of all that it imports.
 */
export function registryOf({ file }: DescMessage): Registry {
  const known = registries.get(file);
  if (known !== undefined) return known;
  const files = new Set<DescFile>(wellKnown);
  const add = (one: DescFile): void => {
    if (files.has(one)) return;
    files.add(one);
    one.dependencies.forEach(add);
  };
  add(file);
  const registry = createRegistry(...files);
  registries.set(file, registry);
  return registry;
}

function parseJson(body: Uint8Array): ReturnType<typeof JSON.parse> {
  let json: string;
  let value: ReturnType<typeof JSON.parse>;
  try {
    json = strictUtf8.decode(body);
    value = JSON.parse(json);
  } catch (cause) {
    throw new BadInput(`the body is not JSON: ${text(cause)}`, { cause });
  }
  // one this short is not nested too deep, and has no number beyond all doubles
  if (json.length <= bodyDepthMax && !isHuge.test(json)) return value;
  const problem = sentProblem(value, "the body");
  if (problem !== undefined) throw new BadInput(problem);
  return value;
}

/** Whether there may be a number that is read as infinite. */
const isHuge = /\d[eE]\+?\d|\d{309}/;

function text(cause: unknown): string {
  return textOf(() => wordsOf(cause));
}

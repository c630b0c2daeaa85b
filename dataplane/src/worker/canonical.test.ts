import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { AnySchema, anyPack, StringValueSchema, StructSchema } from "@bufbuild/protobuf/wkt";
import type { Handler } from "voda/definition";
import { plainCall } from "../../test/call.ts";
import { canonicalHash } from "./canonical.ts";

const run = (): undefined => undefined;
const json: Handler = { type: "plain", mode: "handler", run };
const struct: Handler = {
  type: "proto",
  mode: "handler",
  run,
  input: StructSchema,
  output: StringValueSchema,
};

const hashOf = (
  handler: Handler,
  body: string | Uint8Array,
  method = "add",
  content: "json" | "proto" = "json",
) => {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return canonicalHash(handler, plainCall(1, 0, { body: bytes, method, content }));
};

test("white space and the order of keys, at any depth, make no other call", () => {
  assert.deepEqual(
    hashOf(json, '{"b":[{"y":1,"x":2}],"a":null}'),
    hashOf(json, ' { "a" : null, "b" : [ { "x" : 2, "y" : 1 } ] }'),
  );
});

test("another value, another order of a list, another method and no body are other calls", () => {
  const hashes = ['{"a":1}', '{"a":2}', '{"a":"1"}', '{"b":1}', "[1,2]", "[2,1]", ""].map((body) =>
    Buffer.from(hashOf(json, body) ?? []).toString("hex"),
  );
  hashes.push(Buffer.from(hashOf(json, '{"a":1}', "sub") ?? []).toString("hex"));
  assert.equal(new Set(hashes).size, hashes.length);
});

test("a message is the same in protobuf, whatever the order of its map, and in JSON", () => {
  const number = (value: number) => ({ kind: { case: "numberValue" as const, value } });
  const one = toBinary(StructSchema, create(StructSchema, { fields: { a: number(1), b: number(2) } }));
  const two = toBinary(StructSchema, create(StructSchema, { fields: { b: number(2), a: number(1) } }));
  assert.notDeepEqual(one, two);
  assert.deepEqual(hashOf(struct, one, "add", "proto"), hashOf(struct, two, "add", "proto"));
  assert.deepEqual(hashOf(struct, one, "add", "proto"), hashOf(struct, '{"b":2,"a":1}'));
});

test("a message in an Any is the same in other bytes", () => {
  const any: Handler = { type: "proto", mode: "handler", run, input: AnySchema, output: StringValueSchema };
  const packed = anyPack(StringValueSchema, create(StringValueSchema, { value: "x" }));
  const binary = hashOf(any, toBinary(AnySchema, packed), "add", "proto");
  assert.notEqual(binary, undefined);
  const type = '"@type":"type.googleapis.com/google.protobuf.StringValue"';
  assert.deepEqual(hashOf(any, `{${type},"value":"x"}`), binary);
  assert.deepEqual(hashOf(any, `{ "value": "x", ${type} }`), binary);
});

test("what cannot be read has no hash", () => {
  assert.equal(hashOf(json, "{"), undefined);
  assert.equal(hashOf(struct, Uint8Array.of(255), "add", "proto"), undefined);
});

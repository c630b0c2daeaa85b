import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { crc32 } from "node:zlib";
import { create, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  anyPack,
  DurationSchema,
  FileDescriptorProtoSchema,
  file_google_protobuf_any,
  file_google_protobuf_field_mask,
  file_google_protobuf_timestamp,
  FieldDescriptorProto_Label as Label,
  TimestampSchema,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { openState } from "@voda/state";
import type { Handler } from "voda/definition";
import { BadInput, decodeInput, encodeOutput } from "./convert.ts";

const utf8 = new TextEncoder();
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const plain: Handler = { type: "plain", mode: "handler", run: () => undefined };
// google.protobuf.Duration and Timestamp have JSON forms of their own: the strictest of messages
const proto: Handler = {
  type: "proto",
  mode: "handler",
  input: TimestampSchema,
  output: TimestampSchema,
  run: () => undefined,
};

const imports = [file_google_protobuf_any, file_google_protobuf_field_mask, file_google_protobuf_timestamp];
/**
 * `message Lab { int32 number = 1; FieldMask mask = 2; Timestamp at = 3; Any any = 4; repeated Lab parts = 5;
 * }`
 */
function labSchema() {
  const part = (name: string, number: number, typeName: string) => ({
    name,
    jsonName: name,
    number,
    type: Type.MESSAGE,
    typeName,
    label: name === "parts" ? Label.REPEATED : Label.OPTIONAL,
  });
  const file = create(FileDescriptorProtoSchema, {
    name: "lab.proto",
    package: "lab.v1",
    syntax: "proto3",
    dependency: imports.map(({ proto: { name } }) => name),
    messageType: [
      {
        name: "Lab",
        field: [
          { name: "number", jsonName: "number", number: 1, type: Type.INT32, label: Label.OPTIONAL },
          part("mask", 2, ".google.protobuf.FieldMask"),
          part("at", 3, ".google.protobuf.Timestamp"),
          part("any", 4, ".google.protobuf.Any"),
          part("parts", 5, ".lab.v1.Lab"),
        ],
      },
    ],
  });
  const lab = createFileRegistry(file, (name) =>
    imports.map((one) => one.proto).find((one) => one.name === name),
  ).getMessage("lab.v1.Lab");
  assert.ok(lab !== undefined);
  return lab;
}
const LabSchema = labSchema();
const lab: Handler = { ...proto, input: LabSchema, output: LabSchema };

describe("input", () => {
  test("a plain handler gets the JSON value, and undefined for an empty body", () => {
    assert.deepEqual(decodeInput(plain, "json", utf8.encode('{"a":[1,null]}')), { a: [1, null] });
    assert.equal(decodeInput(plain, "json", new Uint8Array(0)), undefined);
  });

  test("a typed handler gets its message from either content", () => {
    const message = fromBinary(
      TimestampSchema,
      toBinary(TimestampSchema, decodeAs("json", '"1970-01-01T00:00:07Z"')),
    );
    assert.equal(message.seconds, 7n);
    const bytes = toBinary(TimestampSchema, message);
    const again = decodeInput(proto, "proto", bytes) as typeof message;
    assert.equal(again.seconds, 7n);
  });

  test("fields that the message does not know are ignored, in JSON as in binary, as Connect does", () => {
    const field15 = Uint8Array.of(8, 7, 120, 1);
    const json = utf8.encode('{"number":7,"nmber":1}');
    for (const message of [decodeInput(lab, "proto", field15), decodeInput(lab, "json", json)])
      assert.equal((message as { readonly number: number }).number, 7);
  });

  test("what is no JSON, no UTF-8 or no such message is the caller's mistake", () => {
    assert.throws(() => decodeInput(plain, "json", utf8.encode("{")), BadInput);
    assert.throws(() => decodeInput(plain, "json", Uint8Array.of(0x22, 0xff, 0x22)), BadInput);
    assert.throws(() => decodeInput(plain, "proto", new Uint8Array(0)), /takes JSON/);
    assert.throws(
      () => decodeInput(proto, "json", utf8.encode('"yesterday"')),
      /not a google.protobuf.Timestamp/,
    );
    assert.throws(() => decodeInput(proto, "proto", Uint8Array.of(0xff)), BadInput);
  });
});

test("JSON that nests too deep or has a number beyond all doubles is refused with place and limit", () => {
  const deep = (levels: number): string => `${"[".repeat(levels)}${"]".repeat(levels)}`;
  const tooDeep = /^the body(\[0\]){64}\.\.\. \(3008 characters\) is nested deeper than bodyDepthMax 1000$/;
  const infinite =
    /^the body\.a\[1\] is -?Infinity, which JSON does not have; send a number .* -?1\.797\d+e\+308$/;
  const bodies: readonly (readonly [string, RegExp])[] = [
    [deep(1_001), tooDeep],
    [deep(50_000), tooDeep],
    ['{"a":[1,1e999]}', infinite],
    ['{"a":[1,-1E+400]}', infinite],
    [`{"a":[1,${"9".repeat(309)}]}`, infinite],
  ];
  for (const handler of [plain, lab])
    for (const [body, words] of bodies)
      assert.throws(
        () => decodeInput(handler, "json", utf8.encode(body)),
        (error) => error instanceof BadInput && words.test(error.message),
        body.slice(0, 20),
      );
  for (const body of [deep(1_000), "[1e308,-1.7e308,1e-999]", `{"a":"1e999${"1".repeat(400)}"}`])
    assert.deepEqual(decodeInput(plain, "json", utf8.encode(body)), JSON.parse(body));
});

test("an Any in JSON holds a well-known type or one of the service's file, in and out", () => {
  const typeUrl = "type.googleapis.com";
  for (const any of [
    { "@type": `${typeUrl}/google.protobuf.Duration`, value: "1s" },
    { "@type": `${typeUrl}/lab.v1.Lab`, number: 7 },
  ]) {
    const message = decodeInput(lab, "json", utf8.encode(JSON.stringify({ any })));
    const answer = encodeOutput(lab, "json", message);
    assert.ok(answer.ok, JSON.stringify(answer));
    assert.deepEqual(JSON.parse(text(answer.body)), { any });
  }
});

function decodeAs(content: "json" | "proto", body: string) {
  return decodeInput(proto, content, utf8.encode(body)) as Parameters<
    typeof toBinary<typeof TimestampSchema>
  >[1];
}

describe("output", () => {
  const bodyOf = (handler: Handler, content: "json" | "proto", result: unknown): string => {
    const answer = encodeOutput(handler, content, result);
    assert.ok(answer.ok, JSON.stringify(answer));
    assert.equal(answer.content, content);
    return text(answer.body);
  };
  const reasonOf = (handler: Handler, result: unknown): string => {
    const answer = encodeOutput(handler, "json", result);
    assert.ok(!answer.ok);
    return answer.failure.reason;
  };

  test("a plain result is JSON, and no result is no content", () => {
    assert.equal(bodyOf(plain, "json", { a: "ä" }), '{"a":"ä"}');
    assert.equal(bodyOf(plain, "json", null), "null");
    assert.equal(bodyOf(plain, "json", undefined), "");
  });

  test("the state, a spread of it and its handles are answered with their values", () => {
    const { state } = openState(
      { title: { kind: "register", initial: "new" }, visits: { kind: "counter" }, items: { kind: "map" } },
      { crc32 },
    ).begin();
    state.visits.add(2);
    state.items.set("a", [1]);
    const whole = '{"title":"new","visits":2,"items":{"a":[1]}}';
    assert.equal(bodyOf(plain, "json", state), whole);
    assert.equal(bodyOf(plain, "json", { ...state }), whole);
    assert.equal(bodyOf(plain, "json", state.visits), "2");
    assert.equal(bodyOf(plain, "json", [state.items]), '[{"a":[1]}]');
  });

  test("a plain result that would arrive changed is the handler's bug, named with its path", () => {
    const messageOf = (result: unknown): string => {
      const answer = encodeOutput(plain, "json", result);
      assert.ok(!answer.ok && answer.failure.reason === "internal");
      return answer.failure.message;
    };
    assert.match(
      messageOf({ a: [new Date(0)] }),
      /the handler's answer\.a\[0\] is Date, which JSON does not have/,
    );
    assert.match(messageOf(new Map([["a", 1]])), /the handler's answer is Map/);
    assert.match(messageOf({ n: Number.NaN }), /the handler's answer\.n is NaN/);
    assert.match(messageOf({ b: Buffer.from("x") }), /the handler's answer\.b is Uint8Array/);
  });

  test("a typed result is written as the call asked", () => {
    assert.equal(bodyOf(proto, "json", { seconds: 7n }), '"1970-01-01T00:00:07Z"');
    const binary = encodeOutput(proto, "proto", { seconds: 7n });
    assert.ok(binary.ok);
    assert.equal(fromBinary(TimestampSchema, binary.body).seconds, 7n);
    assert.equal(bodyOf(proto, "json", undefined), '"1970-01-01T00:00:00Z"');
  });

  test("a result without a JSON form is the handler's bug", () => {
    const ring: Record<string, unknown> = {};
    ring["self"] = ring;
    for (const bad of [
      ring,
      1n,
      () => 1,
      Symbol("s"),
      { toJSON: () => assert.fail("thrown by the agent") },
    ]) {
      assert.equal(reasonOf(plain, bad), "internal");
    }
    assert.equal(reasonOf(proto, { seconds: "many" }), "internal");
  });

  test("whether a typed result is taken does not depend on how its caller reads it", () => {
    const outcome = (content: "json" | "proto", result: object): boolean =>
      encodeOutput(lab, content, result).ok;
    const bad: readonly object[] = [
      { number: 2 ** 40 },
      { number: 1.5 },
      { mask: { paths: ["fooBar"] } },
      { at: { seconds: 999_999_999_999_999n, nanos: 0 } },
      { parts: [{}, { parts: [{ at: { seconds: 0n, nanos: -5 } }] }] },
    ];
    for (const result of bad)
      assert.deepEqual([outcome("json", result), outcome("proto", result)], [false, false]);
    const good: readonly object[] = [
      { number: 7, mask: { paths: ["foo_bar"] }, at: { seconds: 7n }, parts: [{ number: 1 }] },
      { any: anyPack(DurationSchema, create(DurationSchema, { seconds: 1n })) },
    ];
    for (const result of good)
      assert.deepEqual([outcome("json", result), outcome("proto", result)], [true, true]);
  });
});

// What a field's schema says of a value that a handler writes, as the handler's caller hears it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { openState } from "@voda/state";
import { agent, s } from "voda";
import { endingOf, noInput } from "./failure.ts";
import { schemaOf } from "./schema-of.ts";

type Issue = { readonly message: string; readonly path?: readonly PropertyKey[] };

const schema = (fits: (value: unknown) => boolean, issue: Issue) =>
  ({
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value: unknown) => (fits(value) ? { value: value as string } : { issues: [issue] }),
    },
  }) as const;
const short = schema((value) => String(value).length <= 20, { message: "too big" });
const priced = schema((value) => value === null, { message: "no", path: ["price"] });
const slow = { "~standard": { ...short["~standard"], validate: async () => ({ value: "" }) } } as const;

const fields = { title: s.register(short, "none"), stock: s.map(priced), slow: s.map(slow) };
const shop = schemaOf(agent("shop", fields));
const logged = "the log of node n1 has it as request r-1";

const setting = (field: string, key: string, value: unknown) => (state: object) => {
  const map: { set(key: string, value: unknown): void } = Reflect.get(state, field);
  map.set(key, value);
};

function endingOfWrite(write: (state: object) => void, input: unknown) {
  try {
    write(openState(shop, { crc32 }).begin().state);
  } catch (error) {
    const { answer, level, message } = endingOf(error, input, logged);
    return { failure: answer.failure, level, message };
  }
  return assert.fail("it was taken");
}

test("a value that a field's schema refuses is its sender's mistake, told with the field's path", () => {
  const long = "x".repeat(40);
  const title = endingOfWrite((state) => Object.assign(state, { title: long }), long);
  assert.deepEqual(
    [title.failure.code, title.failure.reason, title.failure.message],
    ["invalid_argument", "bad_request", "state.title: too big; the input was a string"],
  );
  assert.deepEqual([title.level, title.message], ["info", "call refused: state.title: too big"]);
  const entry = endingOfWrite(setting("stock", "green tea", {}), { price: "x" });
  assert.equal(
    entry.failure.message,
    'state.stock["green tea"].price: no; the input was an object with price',
  );
});

test("without an input it is the handler's own value", () => {
  const { failure, level, message } = endingOfWrite(
    (state) => Object.assign(state, { title: "x".repeat(40) }),
    noInput,
  );
  assert.equal(failure.message, `the handler threw a TypeError; ${logged}`);
  assert.deepEqual([level, message], ["error", "handler failed: TypeError: state.title: too big"]);
});

test("a schema that cannot answer at once is broken, whoever sent what", () => {
  const { failure, message } = endingOfWrite(setting("slow", "a", "b"), "b");
  assert.equal(failure.code, "internal");
  assert.match(failure.message, /^agent shop: state\.slow\["a"\]: the schema is asynchronous; a field's/);
  assert.match(message, /^schema failed: /);
});

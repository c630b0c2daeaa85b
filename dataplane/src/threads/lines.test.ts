import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameError } from "../frame/index.ts";
import { readDefinitions, readHolder, readLoadError, readLogEntry } from "./lines.ts";

const refused = (read: (line: string) => unknown, line: string, what: RegExp): void =>
  assert.throws(
    () => read(line),
    (error) => error instanceof FrameError && what.test(error.message),
    line,
  );

test("a line of the log is taken as it is, if it has a message", () => {
  const entry = { speaker: { agent: "a" }, message: "m", facts: {} };
  assert.deepEqual(readLogEntry(JSON.stringify(entry)), entry);
  for (const line of ['"text"', "null", "{}", '{"message":7}'])
    refused(readLogEntry, line, /is not a line of the log/);
  assert.throws(() => readLogEntry("{"), SyntaxError);
});

test("definitions are a list of agents with the names of their fields and methods", () => {
  const definition = { name: "a", fields: [{ name: "f" }], methods: [{ name: "m" }] };
  assert.deepEqual(readDefinitions(JSON.stringify([definition])), [definition]);
  assert.deepEqual(readDefinitions("[]"), []);
  const wrong = [
    definition,
    [7],
    [{ ...definition, name: 7 }],
    [{ name: "a", methods: [] }],
    [{ name: "a", fields: [] }],
    [{ ...definition, fields: {} }],
    [{ ...definition, methods: [{}] }],
    [definition, { ...definition, fields: [null] }],
  ];
  for (const one of wrong) refused(readDefinitions, JSON.stringify(one), /is not the definitions of agents$/);
});

test("why a bundle did not load is told with the place, where there is one", () => {
  assert.equal(readLoadError('{"message":"no model"}'), "no model");
  assert.equal(readLoadError('{"message":"no model","at":"a.ts:3"}'), "no model at a.ts:3");
  refused(readLoadError, '{"at":"a.ts:3"}', /is not an error$/);
});

test("who holds a thread has a speaker, perhaps with a call and a place", () => {
  const holder = { speaker: { agent: "a", call: 7 }, at: "a.ts:3:1" };
  assert.deepEqual(readHolder(JSON.stringify(holder)), holder);
  assert.deepEqual(readHolder('{"speaker":{}}'), { speaker: {} });
  const wrongs = ["5", "null", "{}", '{"speaker":null}', '{"speaker":{"call":"7"}}', '{"speaker":{},"at":3}'];
  for (const line of wrongs) refused(readHolder, line, /is not who holds a thread$/);
});

test("of a line that is wrong the beginning is told", () => {
  refused(readLogEntry, `"${"x".repeat(100)}"`, /^"x{79} is not a line of the log$/);
});

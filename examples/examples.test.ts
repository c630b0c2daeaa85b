// The handlers of the examples on a state in memory; the tests of the mesh run them on the real one.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { create } from "@bufbuild/protobuf";
import {
  type AnyAgent,
  type AskRequest,
  askFunction,
  cancelFunction,
  definitionOf,
  gather,
  handlersOf,
  type MapState,
  type SendRequest,
  scheduleFunction,
  sendFunction,
  type TextState,
  VodaError,
} from "voda/definition";
import { cart } from "./cart/cart.ts";
import { counter } from "./counter/counter.ts";
import { editor } from "./editor/editor.ts";
import { AddItemRequestSchema, GetCartRequestSchema } from "./gen/shop/v1/cart_pb.ts";
import { diary, poll, voter } from "./poll/poll.ts";
import config from "./voda.config.ts";

const nobody = (): never => assert.fail("nobody is asked");
const nothing = (): never => assert.fail("nothing is sent");
const by = { subject: "anonymous", agent: { name: "voter", key: "ann" } };

/** Calls handlers of an agent on one state. */
function session(
  agent: AnyAgent,
  state: object,
  ask: (one: AskRequest) => Promise<unknown> = nobody,
  send: (one: SendRequest) => void = nothing,
) {
  return (method: string, input?: unknown): unknown => {
    const handler = handlersOf(agent).get(method);
    assert.ok(handler !== undefined, `no handler ${method}`);
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
    const call = { key: "k", caller: by, signal: new AbortController().signal, log };
    return handler.run(
      {
        ...call,
        state,
        now: () => 0,
        random: () => 0,
        uuid: () => "",
        ask: askFunction(ask),
        gather,
        send: sendFunction(send, () => ""),
        schedule: scheduleFunction(send, () => ""),
        cancel: cancelFunction(send),
        run: () => assert.fail("nothing is done outside"),
      },
      input,
    );
  };
}

function memoryCounter() {
  const state = { value: 0, add: (by = 1) => (state.value += by), toJSON: () => state.value };
  return state;
}

function memoryMap(): MapState<number> {
  const map = new Map<string, number>();
  const update = (key: string, change: (old: number | undefined) => number): void =>
    void map.set(key, change(map.get(key)));
  return Object.assign(map, { update, toJSON: () => Object.fromEntries(map) });
}

function memoryText(): TextState {
  let text = "";
  const splice = (at: number, length: number, insert: string): void => {
    text = text.slice(0, at) + insert + text.slice(at + length);
  };
  return {
    get length() {
      return text.length;
    },
    toString: () => text,
    toJSON: () => text,
    append: (more) => splice(text.length, 0, more),
    insert: (at, more) => splice(at, 0, more),
    delete: (at, length) => splice(at, length, ""),
    replace(find, more) {
      const at = text.indexOf(find);
      if (at >= 0) splice(at, find.length, more);
      return at >= 0;
    },
  };
}

test("the config names the agents with their methods", () => {
  const methods = config.agents.map((agent) => [
    agent.name,
    definitionOf(agent).methods.map((method) => `${method.mode} ${method.name}`),
  ]);
  assert.deepEqual(methods, [
    ["counter", ["readonly get", "handler add"]],
    ["cart", ["handler addItem", "readonly getCart"]],
    ["editor", ["readonly text", "readonly length", "handler apply"]],
    ["diary", ["readonly results", "handler note"]],
    ["poll", ["readonly votes", "handler count", "handler close"]],
    ["voter", ["handler vote"]],
  ]);
});

test("the counter adds and reads", () => {
  const call = session(counter, { count: memoryCounter() });
  assert.equal(call("add", 2), 2);
  assert.equal(call("add", 3), 5);
  assert.equal(call("get"), 5);
});

test("the cart sums quantities, counts changes and refuses what cannot be bought", () => {
  const call = session(cart, { lines: memoryMap(), version: memoryCounter() });
  const add = (sku: string, quantity: number): unknown =>
    call("addItem", create(AddItemRequestSchema, { sku, quantity }));
  add("cup", 1);
  add("tea", 2);
  const lines = [
    { sku: "cup", quantity: 1 },
    { sku: "tea", quantity: 5 },
  ];
  assert.deepEqual(add("tea", 3), { cart: { lines, version: 3n } });
  assert.deepEqual(call("getCart", create(GetCartRequestSchema)), { cart: { lines, version: 3n } });
  for (const [sku, quantity] of [["", 1] as const, ["tea", 0] as const])
    assert.throws(
      () => add(sku, quantity),
      (error) => VodaError.is(error, "invalid_argument"),
    );
});

test("the editor applies edits in their order and refuses malformed ones with their index", () => {
  const call = session(editor, { text: memoryText() });
  const edits = [
    [0, 0, "hello"],
    [5, 0, " world"],
    [0, 1, "H"],
  ];
  assert.equal(call("apply", edits), 11);
  assert.equal(call("text"), "Hello world");
  assert.equal(call("length"), 11);
  const refused = (input: unknown, message: RegExp): void =>
    assert.throws(
      () => call("apply", input),
      (error) => VodaError.is(error, "invalid_argument") && message.test(error.message),
    );
  refused(undefined, /the input is not a list/);
  refused([[0, 0, ""], 1], /edit 1 is not \[at, deleteCount, insert\]/);
  refused([[-1, 0, ""]], /edit 0 is not/);
  refused([[0, 0.5, ""]], /edit 0 is not/);
  refused([[8, 4, ""]], /edit 0 reaches to 12 in a text of length 11/);
});

interface Trace {
  readonly startContent: string;
  readonly endContent: string;
  readonly txns: readonly { readonly patches: readonly [number, number, string][] }[];
}

test("the shipped editing history replays to its end", () => {
  const file = new URL("./editor/trace.json.gz", import.meta.url);
  const trace = JSON.parse(gunzipSync(readFileSync(file)).toString()) as Trace;
  const call = session(editor, { text: memoryText() });
  const edits = trace.txns.flatMap((txn) => txn.patches);
  // Its characters are all in the basic plane, so code points are code units.
  for (const edit of [...edits, [0, 0, trace.endContent]])
    assert.doesNotMatch(String(edit[2]), /[\ud800-\udfff]/);
  call("apply", [[0, 0, trace.startContent], ...edits]);
  assert.equal(call("text"), trace.endContent);
  assert.equal(edits.length, 26_078);
});

test("who votes again changes the vote, in the poll too", async () => {
  const counted = session(poll, { votes: memoryMap(), voters: new Map() });
  const asked: AskRequest[] = [];
  const choices = new Map<string, string>();
  const vote = session(voter, { choices }, async (ask) => {
    asked.push(ask);
    return counted(ask.method, JSON.parse(ask.body ?? ""));
  });
  assert.deepEqual(await vote("vote", { in: "lunch", choice: "soup" }), { votes: 1 });
  assert.deepEqual(await vote("vote", { in: "lunch", choice: "rice" }), { votes: 1 });
  assert.deepEqual(
    new Map(counted("votes") as Iterable<[string, number]>),
    new Map([
      ["soup", 0],
      ["rice", 1],
    ]),
  );
  assert.deepEqual(
    asked.map(({ agent, key }) => `${agent}/${key}`),
    ["poll/lunch", "poll/lunch"],
  );
});

test("a poll that closes tells everybody who has voted, once", () => {
  const sent: SendRequest[] = [];
  const votes = memoryMap();
  votes.set("soup", 1);
  votes.set("rice", 3);
  const voters = new Map([
    ["ann", true],
    ["bob", true],
  ]);
  const call = session(poll, { votes, voters }, nobody, (one) => sent.push(one));
  assert.deepEqual(call("close"), { winner: "rice" });
  const body = '{"of":"k","winner":"rice"}';
  assert.deepEqual(
    sent,
    ["ann", "bob"].map((key) => ({ agent: "diary", key, method: "note", body })),
  );
  const results = new Map<string, string>();
  session(diary, { results })("note", JSON.parse(body));
  assert.deepEqual([...results], [["k", "rice"]]);
});

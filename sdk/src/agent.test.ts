import assert from "node:assert/strict";
import { test } from "node:test";
import { create, createFileRegistry } from "@bufbuild/protobuf";
import type { GenMessage, GenService } from "@bufbuild/protobuf/codegenv2";
import { type Empty, EmptySchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { AgentService, GetAgentRequestSchema } from "@voda/proto/api";
import { gather } from "../test/gather.ts";
import {
  definitionOf,
  type HostContext,
  handlersOf,
  isAgent,
  validatorsOf,
  workflowsOfTurn,
} from "./definition.ts";
import { agent, s, VodaError } from "./index.ts";

const counter = agent("counter", { count: s.counter(), title: s.register("new") })
  .readonly({ get: (ctx) => ctx.state.count.value })
  .handlers({ add: (ctx, by: number) => ctx.state.count.add(by) });

const context = (state: object): HostContext => ({
  state,
  key: "k",
  caller: { subject: "anonymous" },
  signal: new AbortController().signal,
  log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  now: () => 0,
  random: () => 0,
  uuid: () => "",
  ask: () => assert.fail("nobody is asked"),
  send: () => assert.fail("nothing is sent"),
  schedule: () => assert.fail("nothing is scheduled"),
  cancel: () => assert.fail("nothing is cancelled"),
  run: () => assert.fail("nothing is done outside"),
  start: {},
  notify: () => assert.fail("nothing is signalled"),
  cancelWorkflow: () => assert.fail("nothing is cancelled"),
  get [workflowsOfTurn]() {
    return assert.fail("there are none");
  },
  gather,
});

/** Misuse that the types refuse, as plain JavaScript would write it. */
const untyped = (value: unknown): never => value as never;

test("a definition is frozen plain data with the documented defaults", () => {
  const definition = definitionOf(counter);
  assert.deepEqual(definition, {
    name: "counter",
    fields: [
      { name: "count", kind: "counter" },
      { name: "title", kind: "register", initial: "new" },
    ],
    methods: [
      { name: "get", mode: "readonly" },
      { name: "add", mode: "handler" },
    ],
    resources: { cpuMilli: 0, memoryMib: 0, gpuMilli: 0, gpuMemoryMib: 0, diskMib: 0 },
    placement: {
      gpuModels: [],
      isolation: "process",
      labels: [],
      affinity: [],
      antiAffinity: [],
      spread: "",
    },
    idleMs: 300_000,
    turnMsMax: 60_000,
    queueMax: 256,
    dedupeMs: 600_000,
  });
  assert.deepEqual(JSON.parse(JSON.stringify(definition)), definition);
  for (const part of [
    definition,
    definition.fields,
    definition.fields[0],
    definition.methods,
    definition.methods[1],
    definition.resources,
    definition.placement,
    definition.placement.labels,
  ])
    assert.ok(Object.isFrozen(part));
});

test("handlers run with the host's context and input", () => {
  const handlers = handlersOf(counter);
  const added: number[] = [];
  const ctx = context({ count: { value: 7, add: (by: number) => added.push(by) } });
  assert.deepEqual([...handlers.keys()], ["get", "add"]);
  const get = handlers.get("get");
  const add = handlers.get("add");
  assert.ok(get?.type === "plain" && add?.type === "plain");
  assert.ok(Object.isFrozen(get));
  assert.equal(get.mode, "readonly");
  assert.equal(get.run(ctx, undefined), 7);
  assert.equal(add.mode, "handler");
  add.run(ctx, 5);
  assert.deepEqual(added, [5]);
});

test("a block leaves the agent it is called on as it is", () => {
  const base = agent("base").handlers({ a: () => 1 });
  const more = base.handlers({ b: () => 2 });
  assert.deepEqual([...handlersOf(base).keys()], ["a"]);
  assert.deepEqual([...handlersOf(more).keys()], ["a", "b"]);
});

test("agents are found by a registered symbol, so that another copy of the package can read them", () => {
  assert.ok(Symbol.for("voda.agent") in counter);
  assert.ok(isAgent({ name: "other", [Symbol.for("voda.agent")]: {} }));
  for (const value of [undefined, null, 1, "counter", {}, { name: "counter" }, () => 1])
    assert.equal(isAgent(value), false);
});

test("a protobuf service becomes methods with descriptors, readonly where without side effects", () => {
  const rpc = agent("rpc").implements(AgentService, {
    deployAgents: (_ctx, request) => ({ agents: request.agents }),
    getAgent: (_ctx, request) => ({ agent: { name: request.name } }),
    listAgents: () => ({}),
    undeployAgent: () => ({}),
  });
  const service = "voda.api.v1.AgentService";
  assert.deepEqual(definitionOf(rpc).methods, [
    { name: "deployAgents", mode: "handler", service, rpc: "DeployAgents" },
    { name: "getAgent", mode: "readonly", service, rpc: "GetAgent" },
    { name: "listAgents", mode: "readonly", service, rpc: "ListAgents" },
    { name: "undeployAgent", mode: "handler", service, rpc: "UndeployAgent" },
  ]);
  const get = handlersOf(rpc).get("getAgent");
  assert.ok(get?.type === "proto");
  assert.equal(get.input, AgentService.method.getAgent.input);
  assert.equal(get.output, AgentService.method.getAgent.output);
  assert.deepEqual(get.run(context({}), create(GetAgentRequestSchema, { name: "n" })), {
    agent: { name: "n" },
  });
});

type Unary = { [name: string]: { methodKind: "unary"; input: GenMessage<Empty>; output: GenMessage<Empty> } };

/** A service that no generated code knows. */
function serviceOf(methods: readonly { name: string; serverStreaming?: boolean }[]): GenService<Unary> {
  const file = {
    name: "t.proto",
    package: "t",
    syntax: "proto3",
    messageType: [{ name: "M" }],
    service: [
      { name: "S", method: methods.map((method) => ({ ...method, inputType: ".t.M", outputType: ".t.M" })) },
    ],
  };
  const set = create(FileDescriptorSetSchema, { file: [file] });
  return createFileRegistry(set).getService("t.S") as GenService<Unary>;
}

test("a service with a streaming method is refused by name", () => {
  const service = serviceOf([{ name: "Watch", serverStreaming: true }]);
  assert.throws(() => agent("a").implements(service, { watch: () => create(EmptySchema) }), {
    name: "TypeError",
    message: "agent a: t.S.Watch streams; an agent implements unary methods only",
  });
});

test("a missing rpc, an unknown rpc and what is no service are refused by name", () => {
  const whole = {
    deployAgents: () => ({}),
    getAgent: () => ({}),
    listAgents: () => ({}),
    undeployAgent: () => ({}),
  };
  const base = agent("a");
  assert.throws(
    () => base.implements(AgentService, untyped({ getAgent: whole.getAgent })),
    /AgentService.deployAgents is not implemented/,
  );
  assert.throws(
    () => base.implements(AgentService, untyped({ ...whole, other: () => 1 })),
    /has no method "other"/,
  );
  assert.throws(
    () => base.implements(AgentService, untyped({ ...whole, getAgent: 1 })),
    /handler "getAgent" is not a function/,
  );
  assert.throws(() => base.implements(untyped({}), untyped({})), /implements\(\) takes a service/);
  assert.throws(() => base.implements(untyped(undefined), untyped({})), /implements\(\) takes a service/);
  assert.throws(() => base.implements(AgentService, untyped(undefined)), /takes an object of functions/);
});

test("a handler name that is taken by any other block is refused", () => {
  const rpcs = {
    deployAgents: () => ({}),
    getAgent: () => ({}),
    listAgents: () => ({}),
    undeployAgent: () => ({}),
  };
  assert.throws(() => counter.handlers(untyped({ get: () => 1 })), /there is a handler "get" already/);
  assert.throws(() => counter.readonly(untyped({ add: () => 1 })), /there is a handler "add" already/);
  assert.throws(
    () =>
      agent("a")
        .handlers({ getAgent: () => 1 })
        .implements(AgentService, rpcs),
    /a handler "getAgent" already/,
  );
  assert.throws(
    () => agent("a").implements(AgentService, rpcs).implements(AgentService, rpcs),
    /a handler "deployAgents" already/,
  );
});

test("malformed and reserved handler names are refused", () => {
  for (const name of ["then", "constructor", "toString", "toJSON"])
    assert.throws(
      () => agent("a").handlers(untyped({ [name]: () => 1 })),
      new RegExp(
        `"${name}" is reserved: JavaScript looks it up by itself, as constructor, .*toJSON.*; take another`,
      ),
      name,
    );
  for (const name of ["", "$with", "_x", "1st", "a-b", "a/b", "ä", "x".repeat(64)])
    assert.throws(() => agent("a").handlers({ [name]: () => 1 }), /is not a name: 1 to 63 letters/, name);
});

test("what cannot be a handler is refused", () => {
  const refused = (value: unknown, message: RegExp): void =>
    assert.throws(() => agent("a").handlers(untyped(value)), { name: "TypeError", message });
  refused({ x: 1 }, /handler "x" is not a function/);
  refused({ *x() {} }, /handler "x" is a generator/);
  refused({ async *x() {} }, /handler "x" is a generator/);
  refused({ x: (_a: unknown, _b: unknown, _c: unknown) => 1 }, /takes 3 parameters/);
  refused(undefined, /a block of handlers is an object of functions/);
});

test("a service's methods may have names that JavaScript uses itself, and long ones", () => {
  const long = `This${"Is".repeat(50)}Long`;
  const odd = ["Then", "Catch", "Finally", "ToString", "ValueOf", "ToJSON", "Constructor", "_private", long];
  const service = serviceOf(odd.map((name) => ({ name })));
  const run = () => create(EmptySchema);
  const implementation = Object.fromEntries(service.methods.map((method) => [method.localName, run]));
  const { methods } = definitionOf(agent("odd").implements(service, implementation));
  assert.deepEqual(
    methods.map(({ rpc }) => rpc),
    odd,
  );
  assert.deepEqual(
    methods.slice(0, 7).map(({ name }) => name),
    ["then", "catch", "finally", "toString", "valueOf", "toJSON", "constructor"],
  );
  const longer = serviceOf([{ name: "x".repeat(129) }]);
  assert.throws(
    () => agent("odd").implements(longer, Object.fromEntries([["x".repeat(129), run]])),
    /of 129 characters is not a name: 1 to 128/,
  );
});

test("bad names of agents and fields, and fields that are none, are refused", () => {
  for (const name of ["", "Counter", "1st", "a_b", "a/b", "x".repeat(64)])
    assert.throws(() => agent(name), /is not a name/, name);
  assert.throws(() => agent("a", untyped(null)), /the state schema must be an object of fields/);
  assert.throws(() => agent("a", untyped(1)), /the state schema must be an object of fields/);
  assert.throws(() => agent("a", untyped({ n: 0 })), /field n is not made by s.register/);
  assert.throws(() => agent("a", untyped({ n: { kind: "counter" } })), /field n is not made by s.register/);
  assert.throws(() => agent("a", { "a-b": s.counter() }), /field "a-b" is not a name/);
  assert.throws(() => agent("a", untyped({ toJSON: s.counter() })), /field "toJSON" is reserved: JavaScript/);
});

test("options become whole units", () => {
  const place = { cpuMilli: 250, memoryMiB: 64, gpu: 0.25, gpuMemoryMiB: 8192, diskMiB: 512 };
  const definition = definitionOf(
    agent("a", {}, { idle: "1.5s", maxTurn: 250, maxQueue: 8, dedupe: "1h", place }),
  );
  assert.deepEqual(definition.resources, {
    cpuMilli: 250,
    memoryMib: 64,
    gpuMilli: 250,
    gpuMemoryMib: 8192,
    diskMib: 512,
  });
  assert.deepEqual(
    [definition.idleMs, definition.turnMsMax, definition.queueMax, definition.dedupeMs],
    [1_500, 250, 8, 3_600_000],
  );
  assert.equal(definitionOf(agent("a", {}, { place: { gpu: 2 } })).resources.gpuMilli, 2_000);
});

test("options that are unknown, malformed or out of range are refused with the value and the range", () => {
  const refused = (options: unknown, message: RegExp): void =>
    assert.throws(() => agent("a", {}, untyped(options)), message, JSON.stringify(options));
  refused(
    { idel: "5m" },
    /^TypeError: agent a: option "idel" is unknown \(did you mean idle\?\); known are idle, maxTurn/,
  );
  refused(null, /options must be an object/);
  refused({ idle: "5 minutes" }, /agent a: idle of "5 minutes" is not a duration/);
  refused({ idle: "-5m" }, /agent a: idle of "-5m" is out of range: 10ms to 7d/);
  refused({ idle: Number.NaN }, /is not a duration/);
  refused({ idle: "8d" }, /agent a: idle of "8d" is out of range: 10ms to 7d/);
  refused({ maxTurn: 0 }, /agent a: maxTurn of 0 is out of range/);
  refused({ dedupe: null }, /agent a: dedupe of null is not a duration/);
  refused({ place: { diskMiB: null } }, /agent a: place.diskMiB of null is not a whole number/);
  refused({ dedupe: "2d" }, /agent a: dedupe of "2d" is out of range/);
  refused({ maxQueue: 0 }, /agent a: maxQueue of 0 is not a whole number of 1 to 65536/);
  refused({ maxQueue: "8" }, /maxQueue of "8" is not a whole number/);
  refused(
    { place: { gpus: 1 } },
    /^TypeError: agent a: place option "gpus" is unknown \(did you mean gpu\?\)/,
  );
  refused({ place: { cpuMilli: 0.5 } }, /agent a: place.cpuMilli of 0.5 is not a whole number/);
  for (const gpu of [-1, 1.5, 65, 0.0001, Number.NaN])
    refused({ place: { gpu } }, /is neither a fraction of one GPU/);
  refused({ place: { gpuMemoryMiB: 1 } }, /agent a: place.gpuMemoryMiB needs place.gpu/);
});

test("rules of placement become plain data that later changes of the option leave alone", () => {
  const labels = ["web", "eu.v1_2-b"];
  const place = {
    gpu: 1,
    gpuModels: ["NVIDIA H200"],
    isolation: "dedicated",
    labels,
    affinity: ["cache"],
    spread: "web",
  } as const;
  const { placement } = definitionOf(agent("a", {}, { place: { ...place, antiAffinity: ["batch"] } }));
  labels.push("late");
  assert.deepEqual(placement, {
    gpuModels: ["NVIDIA H200"],
    isolation: "dedicated",
    labels: ["web", "eu.v1_2-b"],
    affinity: ["cache"],
    antiAffinity: ["batch"],
    spread: "web",
  });
});

test("rules of placement that nobody could keep are refused with the rule and its value", () => {
  const refused = (place: unknown, message: RegExp): void =>
    assert.throws(() => agent("a", {}, untyped({ place })), message, JSON.stringify(place));
  const many = Array.from({ length: 17 }, (_, at) => `l${at}`);
  for (const diskMiB of [-1, 0.5, 16_777_217, "1"])
    refused({ diskMiB }, /^RangeError: agent a: place.diskMiB of .* is not a whole number of 0 to 16777216$/);
  refused(
    { isolation: "none" },
    /^TypeError: agent a: place.isolation of "none" is none of shared, process, dedicated$/,
  );
  for (const rule of ["labels", "affinity", "antiAffinity"]) {
    refused(
      { [rule]: "web" },
      new RegExp(`^TypeError: agent a: place.${rule} of "web" is not a list of texts$`),
    );
    refused({ [rule]: [1] }, /is not a list of texts/);
    refused(
      { [rule]: many },
      new RegExp(`^TypeError: agent a: place.${rule} has 17 labels; labelsMax is 16$`),
    );
    refused({ [rule]: ["a", "b", "a"] }, new RegExp(`place.${rule} has "a" twice`));
    for (const label of ["", "-a", "a-", "a b", "a=b", "ä", "x".repeat(64)])
      refused(
        { [rule]: [label] },
        new RegExp(`place.${rule} has "${label}", which is not a label: 1 to 63 letters`),
      );
  }
  refused(
    { affinity: ["a"], antiAffinity: ["b", "a"] },
    /place.antiAffinity has "a", which is in affinity too/,
  );
  refused({ labels: ["a"], spread: "b" }, /place.spread "b" is not among labels/);
  refused({ labels: ["a"], spread: 1 }, /place.spread of 1 is not a label/);
  refused({ gpuModels: ["H200"] }, /^RangeError: agent a: place.gpuModels needs place.gpu$/);
  for (const model of ["", "a\n", "x".repeat(129)])
    refused({ gpu: 1, gpuModels: [model] }, /which is not a model: 1 to 128 characters/);
  refused({ gpu: 1, gpuModels: ["A", "A"] }, /place.gpuModels has "A" twice/);
  refused({ gpu: 1, gpuModels: many }, /place.gpuModels has 17 models; gpuModelsMax is 16/);
});

test("fields with a schema have a validator, which says what is wrong", () => {
  const even = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value: unknown) =>
        typeof value === "number" && value % 2 === 0
          ? { value: value + 0 }
          : { issues: [{ message: "not even", path: ["a", { key: 0 }] }, { message: "bad" }] },
    },
  } as const;
  const slow = { "~standard": { ...even["~standard"], validate: async (value: unknown) => ({ value }) } };
  const later = { ["THEN".toLowerCase()]: () => undefined };
  const thenable = { "~standard": { ...even["~standard"], validate: () => later } };
  const fields = {
    plain: s.register(1),
    even: s.register(even, 2),
    evens: s.map(even),
    slow: s.map(slow),
    slower: s.map(untyped(thenable)),
    map: s.map<number>(),
  };
  const validators = validatorsOf(agent("a", fields));
  assert.deepEqual([...validators.keys()], ["even", "evens", "slow", "slower"]);
  assert.deepEqual(validators.get("even")?.(4, "agent a", "state.x"), { ok: true, value: 4 });
  assert.deepEqual(validators.get("evens")?.(3, "agent a", "state.x"), {
    ok: false,
    problem: "state.x.a[0]: not even; state.x: bad",
  });
  for (const name of ["slow", "slower"])
    assert.throws(() => validators.get(name)?.(3, "agent a", "state.x"), {
      name: "BrokenSchemaError",
      message: "agent a: the schema is asynchronous; a field's schema must answer at once",
    });
  assert.throws(
    () => s.register(even, 3),
    /the initial value of s.register does not fit its schema: value\.a\[0\]: not even; value: bad/,
  );
  assert.throws(() => s.map(untyped({})), /s.map takes a Standard Schema/);
  assert.throws(() => s.register(untyped(null), untyped(1)), /s.register takes a Standard Schema/);
  const makers: Readonly<Record<string, () => unknown>> = untyped(s);
  assert.throws(
    () => makers["register"]?.(),
    /^TypeError: s\.register needs the value that a new session has: s\.register/,
  );
  assert.throws(
    () => makers["conter"]?.(),
    /^TypeError: s\.conter is no kind of field \(did you mean counter\?\); there are register, counter, map/,
  );
  assert.equal(makers["then"], undefined, "what JavaScript asks by itself is no slip");
});

test("a log has a schema, a number of places that it keeps, both or neither", () => {
  const word = {
    "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value: String(value) }) },
  } as const;
  const fields = { all: s.log<number>(), few: s.log<number>({ keep: 2 }), words: s.log(word, { keep: 1 }) };
  const logs = agent("a", fields);
  assert.deepEqual(definitionOf(logs).fields, [
    { name: "all", kind: "log" },
    { name: "few", kind: "log", keep: 2 },
    { name: "words", kind: "log", keep: 1 },
  ]);
  assert.deepEqual([...validatorsOf(logs).keys()], ["words"]);
  const made = (...args: readonly unknown[]): unknown => s.log(...(args as []));
  for (const [args, message] of [
    [[{ keep: 0 }], "s.log: keep of 0 is not a whole number of 1 to 9007199254740991"],
    [[word, { keep: "3" }], 's.log: keep of "3" is not a whole number of 1 to 9007199254740991'],
    [[{ kep: 1 }], 's.log: option "kep" is unknown (did you mean keep?); known are keep'],
    [[null], "s.log: options must be an object"],
    [[{ keep: 1 }, word], "s.log takes at most a schema and options, not 2 values"],
  ] as const)
    assert.throws(() => made(...args), { message });
});

test("an initial value must be JSON and is kept as a frozen copy", () => {
  const initial = { tags: ["a"] };
  const [field] = definitionOf(agent("a", { profile: s.register(initial) })).fields;
  initial.tags.push("b");
  assert.deepEqual(field?.initial, { tags: ["a"] });
  assert.throws(() => Object.assign(field?.initial ?? {}, { tags: [] }), TypeError);
  const cycle: unknown[] = [];
  cycle.push(cycle);
  class Meter {
    readonly value = 1;
  }
  const schema = { "~standard": { version: 1, vendor: "test", validate: () => ({ value: 1 }) } };
  const bad: [unknown, RegExp][] = [
    [
      schema,
      /^TypeError: s\.register with a schema needs the value that a new session has too: s\.register\(/,
    ],
    [undefined, /it is of type undefined/],
    [{ a: [1n] }, /it.a\[0\] is of type bigint/],
    [new Date(), /it is Date, not a plain object/],
    [{ at: [new Meter()] }, /it\.at\[0\] is of class Meter, not a plain object/],
    [{ n: Number.NaN }, /it.n is NaN/],
    [cycle, /it\[0\] is it again: what holds itself has no JSON/],
  ];
  for (const [value, message] of bad) assert.throws(() => s.register(value), message);
});

test("a VodaError refuses what it would not carry", () => {
  assert.throws(
    () => new VodaError("not_found", "m", untyped({ reson: "x" })),
    /^TypeError: VodaError option "reson" is unknown \(did you mean reason\?\)/,
  );
  assert.throws(
    () => new VodaError("not_found", untyped({ a: 1 })),
    /^TypeError: the message of a VodaError is text; other facts go into its details$/,
  );
});

test("a VodaError derives retryable from code, reason and retry time", () => {
  const error = new VodaError("not_found", "no item", { details: { sku: "tea" }, cause: 1 });
  assert.ok(error instanceof Error);
  assert.deepEqual(
    [
      error.name,
      error.code,
      error.message,
      error.reason,
      error.retryable,
      error.retryAfterMs,
      error.details,
      error.cause,
    ],
    ["VodaError", "not_found", "no item", "user", false, undefined, { sku: "tea" }, 1],
  );
  assert.equal(new VodaError("resource_exhausted", "x").retryable, false);
  const later = new VodaError("resource_exhausted", "x", { retryAfter: "2s", reason: "quota" });
  assert.deepEqual([later.retryable, later.retryAfterMs, later.reason], [true, 2_000, "quota"]);
  for (const retryAfter of [undefined, 100]) {
    const deadlock = new VodaError("failed_precondition", "x", {
      reason: "deadlock",
      ...(retryAfter !== undefined && { retryAfter }),
    });
    assert.equal(deadlock.retryable, retryAfter !== undefined);
  }
  assert.equal(new VodaError("aborted", "x").retryable, false);
  assert.equal(new VodaError("aborted", "x", { reason: "fenced" }).retryable, true);
  assert.throws(
    () => new VodaError("unavailable", "x", { retryAfter: "2d" }),
    /retryAfter of "2d" is out of range/,
  );
});

test("VodaError.is and from know the errors of another copy, and wrap all others as internal", () => {
  const foreign = Object.assign(new Error("m"), { code: "aborted", [Symbol.for("voda.error")]: true });
  assert.ok(VodaError.is(foreign));
  assert.ok(VodaError.is(foreign, "aborted"));
  assert.equal(VodaError.is(foreign, "internal"), false);
  assert.equal(VodaError.from(foreign), foreign);
  for (const value of [undefined, null, "x", new Error("x"), { code: "aborted" }])
    assert.equal(VodaError.is(value), false);
  const cause = new RangeError("bad");
  const wrapped = VodaError.from(cause);
  assert.deepEqual(
    [wrapped.code, wrapped.reason, wrapped.message, wrapped.cause],
    ["internal", "internal", "bad", cause],
  );
  assert.equal(VodaError.from("text").message, "text");
  assert.equal(VodaError.from(new RangeError("")).message, "RangeError");
});

test("a field refuses an initial value that it would drop", () => {
  const maker: (...args: number[]) => unknown = s.counter;
  assert.throws(
    () => maker(5),
    /^TypeError: s\.counter takes nothing, not 1 values: a session begins without any/,
  );
});

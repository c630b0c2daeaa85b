// An ingress over agents of the tests' own: `probe` with plain methods, and the public SessionService as a
// typed agent.
import { once } from "node:events";
import type { TestContext } from "node:test";
import { create, fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import { GetSessionRequestSchema, GetSessionResponseSchema } from "@voda/proto/api";
import { systemClock } from "@voda/stdx";
import { pino } from "pino";
import {
  type Answer,
  type AnswerMeta,
  type Call,
  createNumbers,
  type Failed,
  fail,
  type Reply,
  type Submit,
} from "../src/call/index.ts";
import { createEdgeProof } from "../src/ingress/edge-proof.ts";
import { type Ingress, type IngressOptions, openIngress } from "../src/ingress/ingress.ts";
import type { Route, Routes } from "../src/ingress/target.ts";

export interface Pending {
  readonly call: Call;
  readonly reply: Reply;
  readonly cancelled: Promise<void>;
}

export interface Bed {
  readonly ingress: Ingress;
  readonly url: string;
  /** Every call in order. */
  readonly seen: Call[];
  /** Heads whose agent was looked up. */
  heads(): number;
  /** The next call of the method `hang`, which answers only when the test says so. */
  nextHanging(): Promise<Pending>;
  /** What the next calls answer instead. */
  answer: Answer | undefined;
  meta: AnswerMeta;
}

export const service = "voda.api.v1.SessionService";
const route = (method: string, readonly = false): Route => ({
  agent: "probe",
  method,
  readonly,
  turnMsMax: 1000,
  onBusy: "queue",
  dedupeMs: 600_000,
});

function failed(answer: Answer): Failed {
  if (answer.ok) throw new Error("an answer that is no failure");
  return answer;
}

export const routes: Routes = {
  plain(namespace, agent, method) {
    if (namespace === "nowhere")
      return failed(fail("agent_not_found", `namespace ${namespace} is not known here`));
    if (agent !== "probe") return failed(fail("agent_not_found", `agent ${agent} is not known here`));
    if (method === "long") return { ...route("echo"), turnMsMax: 1_800_000 };
    if (method !== "echo" && method !== "hang")
      return failed(fail("method_not_found", `probe has no method ${method}; it has echo, hang`));
    return route(method);
  },
  rpc(called, rpc, _namespace, agent) {
    if (called !== service) return failed(fail("agent_not_found", `no agent implements ${called}`));
    if (agent !== undefined && agent !== "probe")
      return failed(fail("agent_not_found", `agent ${agent} does not implement ${called}`));
    if (rpc === "ListSessions") return route("hang", true);
    if (rpc === "GetSession") return route("get", true);
    return rpc === "SleepSession"
      ? route("sleep")
      : failed(fail("method_not_found", `${called} has no method ${rpc}`));
  },
};

function countLookups(onLookup: () => void): Routes {
  return {
    plain(...of) {
      onLookup();
      return routes.plain(...of);
    },
    rpc(...of) {
      onLookup();
      return routes.rpc(...of);
    },
  };
}

/** Answers a typed call with the key that the header named and the agent that the request named. */
function typed(call: Call): Answer {
  const { content, body } = call;
  const request =
    content === "proto"
      ? fromBinary(GetSessionRequestSchema, body)
      : fromJson(GetSessionRequestSchema, JSON.parse(Buffer.from(body).toString()));
  const session = {
    agent: request.session?.agent ?? "",
    key: call.name.key,
    namespace: call.name.namespace,
  };
  const response = create(GetSessionResponseSchema, { session });
  const json = (): Uint8Array => Buffer.from(JSON.stringify(toJson(GetSessionResponseSchema, response)));
  return {
    ok: true,
    content,
    body: content === "proto" ? toBinary(GetSessionResponseSchema, response) : json(),
  };
}

/** What a request that comes through Envoy brings. */
export const proof = { "x-voda-edge": "5".repeat(64) };

export async function openBed(
  t: TestContext,
  more: Partial<Pick<IngressOptions, "allowHosts" | "allowOrigins" | "clock">> = {},
): Promise<Bed> {
  const seen: Call[] = [];
  const hanging: Pending[] = [];
  let told = Promise.withResolvers<void>();
  let heads = 0;
  const edge = createEdgeProof();
  edge.set(proof["x-voda-edge"]);
  const submit: Submit = (call, reply) => {
    seen.push(call);
    const cancelled = Promise.withResolvers<void>();
    if (call.method === "hang") {
      hanging.push({ call, reply, cancelled: cancelled.promise });
      // As the reactor does: the ingress relies on it.
      const late = setTimeout(() => {
        cancelled.resolve();
        reply(fail("turn_timeout", "the deadline passed"), {});
      }, call.head.deadlineMs - systemClock.monotonicMs()).unref();
      void cancelled.promise.then(() => clearTimeout(late));
      t.after(() => clearTimeout(late));
      told.resolve();
      told = Promise.withResolvers<void>();
    } else if (bed.answer !== undefined) reply(bed.answer, bed.meta);
    else if (call.method === "echo") reply({ ok: true, content: "json", body: call.body }, bed.meta);
    else setImmediate(() => reply(typed(call), bed.meta));
    return () => cancelled.resolve();
  };
  const ingress = await openIngress({
    host: "127.0.0.1",
    port: 0,
    edge,
    allowHosts: [],
    allowOrigins: [],
    routes: countLookups(() => (heads += 1)),
    ready: Promise.resolve(submit),
    numbers: createNumbers(),
    clock: systemClock,
    log: pino({ level: "silent" }),
    closeMs: 2000,
    ...more,
  });
  const bed: Bed = {
    ingress,
    url: `http://127.0.0.1:${ingress.port}`,
    seen,
    heads: () => heads,
    answer: undefined,
    meta: {},
    async nextHanging() {
      for (;;) {
        const next = hanging.shift();
        if (next !== undefined) return next;
        await told.promise;
      }
    },
  };
  t.after(() => ingress[Symbol.asyncDispose]());
  return bed;
}

/** Runs out of time with a message instead of hanging; `ms` is for what must not come later. */
export async function within<T>(what: string, promise: PromiseLike<T>, ms: number = 30_000): Promise<T> {
  const expired = new AbortController();
  const timer = setTimeout(() => expired.abort(), ms);
  try {
    return await Promise.race([
      promise,
      once(expired.signal, "abort").then(() => Promise.reject(new Error(`${what}: not within ${ms} ms`))),
    ]);
  } finally {
    clearTimeout(timer);
  }
}

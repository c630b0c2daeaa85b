// Calls that handlers of this node make: looked at when a worker says them, entered when their lane lets them
// go (`lane/ask-gate`), answered to the worker.
import type { Agent, Method } from "@voda/proto/api";
import { MethodMode } from "@voda/proto/api";
import {
  type AskMessage,
  type Call,
  type CallHead,
  type CheckMessage,
  draftCall,
  type Failed,
  fail,
  noAskedMethod,
  type OwnMessage,
  onBusyOf,
} from "../call/index.ts";
import { retryAfterMs } from "../lane/index.ts";
import type { Hosted } from "./hosted.ts";
import { letterRefusal } from "./letters.ts";
import type { Performing } from "./perform.ts";

/**
 * `number`: of the new call in this process. From here on its deadline is watched like that of every call.
 */
export function takeAsk(
  at: Performing,
  hosted: Hosted,
  { activation, by, askId, request }: AskMessage,
  number: number,
): void {
  const { worker } = at.ports;
  const agent = worker.askedAgentOf(request.name);
  const method = "failure" in agent ? agent : admitted(agent, request);
  if ("failure" in method) {
    worker.answerAsk(activation, askId, method);
    return;
  }
  const readonly = method.mode === MethodMode.READONLY;
  const onBusy = onBusyOf(method);
  const head: CallHead = { ...request.head, number, readonly, onBusy };
  const wait = { by: hosted, turn: by, target: request, call: number };
  // a reader begins at once, and so ends one that waits for no turn
  const waits = !readonly && onBusy === "queue";
  const circle = waits ? at.waits.path(request.token, hosted.token) : undefined;
  if (circle !== undefined) {
    worker.answerAsk(activation, askId, crosswise(request, circle));
    return;
  }
  const live = at.calls.add({ ...request, head }, (answer) => {
    at.waits.delete(wait);
    worker.answerAsk(activation, askId, answer);
  });
  if (live === undefined) return;
  if (waits) at.waits.add(wait);
  const requestHash = readonly ? undefined : hosted.lane.hash(bytesOf(request));
  at.dispatch(hosted, { type: "ask", activation, by, call: number, requestHash });
}

/** `circle`: from the session that is asked to the one that asks. */
function crosswise({ name, chain }: Call, circle: readonly string[]): Failed {
  const way = [...chain.slice(-1), `${name.agent}/${name.key}`, ...circle].join(" -> ");
  const message = `turns of sessions wait for each other: ${way}; ask in one order, or call again`;
  return fail("deadlock", message, { retryAfterMs });
}

/**
 * What goes on with a workflow: a call without an id, so that it is never done twice. `deadlineMs`:
 * monotonic.
 */
export function takeOwn(
  at: Performing,
  { name, token, agent }: Hosted,
  { activation, askId, method, body }: OwnMessage,
  { number, deadlineMs }: Pick<CallHead, "number" | "deadlineMs">,
): void {
  const found = agent.methods.find((one) => one.name === method);
  const call = draftCall({ name, token, deadlineMs }, body, number);
  call.head.readonly = found?.mode === MethodMode.READONLY;
  call.method = method;
  call.chain = [`${name.agent}/${name.key}`];
  const live = at.calls.add(call, (answer) => at.ports.worker.answerAsk(activation, askId, answer));
  if (live !== undefined) at.deliver(live);
}

/** Whether a turn may send to that handler. */
export function checkTarget(
  { ports: { worker } }: Performing,
  { name: { namespace } }: Hosted,
  { activation, askId, agent: target, method }: CheckMessage,
): void {
  const agent = worker.askedAgentOf({ namespace, agent: target, key: "" });
  const refusal = "failure" in agent ? agent : letterRefusal(agent, method);
  worker.answerAsk(activation, askId, refusal ?? { ok: true, content: "json", body: nothing });
}

const nothing = new Uint8Array(0);

/** What is asked; or why it may not be. */
function admitted(agent: Agent, { name, method, chain, head }: Call): Method | Failed {
  const found = agent.methods.find((one) => one.name === method);
  if (found === undefined) return noAskedMethod(agent, method);
  const readonly = found.mode === MethodMode.READONLY;
  const target = `${name.agent}/${name.key}`;
  const path = [...chain, target].join(" -> ");
  if (head.readonly && !readonly)
    return fail("bad_request", `a readonly handler asks readonly ones only, and ${method} writes: ${path}`);
  // one that waits in its own turn would never begin; a reader begins beside it
  if (!readonly && chain.includes(target))
    return fail("deadlock", `the session waits for what it asks itself: ${path}`);
  return found;
}

const utf8 = new TextEncoder();

/** What is asked of whom. */
function bytesOf({ token, method, body }: Call): Uint8Array {
  const words = utf8.encode(`${token}\n${method}\n`);
  const bytes = new Uint8Array(words.length + body.length);
  bytes.set(words);
  bytes.set(body, words.length);
  return bytes;
}

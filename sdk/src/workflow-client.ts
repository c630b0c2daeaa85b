// Workflows as clients start them and look at them.
import { checkSignal, pause } from "./call.ts";
import { VodaError } from "./error.ts";
import { refuseUnknown } from "./options.ts";
import { type Output, properties } from "./session.ts";
import type { WorkflowStatus } from "./workflow.ts";
import { keptJson } from "./workflow-json.ts";
import { signalNameOf, workflowIdOf } from "./workflow-name.ts";
import { type Signal, type StartArguments, type StartOptions, startIdOf } from "./workflow-start.ts";

/** A workflow of a session. Every call rejects with VodaError, or with TypeError for a bad option. */
export interface WorkflowRun<R> {
  readonly id: string;
  status(): Promise<WorkflowStatus>;
  /**
   * What the workflow returns, once it has ended: asks the session again and again until then. Rejects with
   * what it failed with, `workflow_cancelled`, or with the reason of `signal`.
   */
  result(options?: { readonly signal?: AbortSignal }): Promise<R>;
  /** Has it undo what it did, and end. False when it had ended. */
  cancel(): Promise<boolean>;
  /** Kept until the workflow waits for it. */
  signal<X>(signal: Signal<X>, ...data: X extends undefined ? [] : [data: X]): Promise<void>;
}

/** `$workflows` of a session: by the name of each. */
export type WorkflowClients<W> = {
  readonly [K in keyof W]: {
    /** A start under an id that was used gives that one. */
    start(...input: StartArguments<W[K]>): Promise<WorkflowRun<Awaited<Output<W[K]>>>>;
    /** One that was started. */
    get(id: string): WorkflowRun<Awaited<Output<W[K]>>>;
  };
};

/** A handler of the session is called; `signal` ends the call. */
type CallFunction = (method: string, input: object, signal?: AbortSignal) => Promise<unknown>;

/** A call that the signal has ended rejects with the signal's own reason. */
async function endedBy<T>(call: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await call;
  } finally {
    signal?.throwIfAborted();
  }
}

const pollMs = 50;
const pollMsMax = 5_000;
const resultNames: ReadonlySet<string> = new Set(["signal"]);

/** `call`: a handler of the session. */
export function workflowClients(call: CallFunction): object {
  return properties((workflow) => ({
    async start(input: unknown, options: StartOptions = {}) {
      const id = startIdOf(options);
      const started = await call("startWorkflow", {
        workflow,
        ...(id !== undefined && { id }),
        ...(input !== undefined && { input: keptJson("the input", input) }),
      });
      return runOf(call, idOf(started));
    },
    get: (id: string) => runOf(call, workflowIdOf(id)),
  }));
}

const idOf = (started: unknown): string =>
  workflowIdOf(typeof started === "object" && started !== null && "id" in started ? started.id : undefined);

function runOf(call: CallFunction, id: string): WorkflowRun<unknown> {
  const status = async (signal?: AbortSignal): Promise<WorkflowStatus> =>
    (await call("workflowStatus", { id }, signal)) as WorkflowStatus;
  return {
    id,
    status: () => status(),
    async result(options = {}) {
      refuseUnknown("result option", options, resultNames);
      const { signal } = options;
      checkSignal(signal);
      for (let waitMs = pollMs; ; waitMs = Math.min(waitMs * 2, pollMsMax)) {
        const { phase, result, error } = await endedBy(status(signal), signal);
        if (error !== undefined) throw new VodaError(error.code, error.message, { reason: error.reason });
        if (phase === "done") return result;
        await pause(waitMs, signal);
        signal?.throwIfAborted();
      }
    },
    cancel: async () => (await call("cancelWorkflow", { id })) === true,
    async signal(what: Signal<unknown>, ...[data]: readonly unknown[]) {
      const name = signalNameOf("signal()", what);
      await call("signalWorkflow", {
        id,
        signal: name,
        ...(data !== undefined && { data: keptJson("the data", data) }),
      });
    },
  };
}

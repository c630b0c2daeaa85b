// Workflows as clients start them and look at them.
import { VodaError } from "./error.ts";
import { type Output, properties } from "./session.ts";
import type { WorkflowStatus } from "./workflow.ts";
import { keptJson, signalNameOf, workflowIdOf } from "./workflow-name.ts";
import type { Signal, StartArguments } from "./workflow-start.ts";

/** A workflow of a session. Every call rejects with VodaError only. */
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

const pollMs = 50;
const pollMsMax = 5_000;

/** `call`: a handler of the session. */
export function workflowClients(call: (method: string, input: object) => Promise<unknown>): object {
  return properties((workflow) => ({
    async start(input: unknown, { id }: { readonly id?: string } = {}) {
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

function runOf(call: (method: string, input: object) => Promise<unknown>, id: string): WorkflowRun<unknown> {
  const status = async (): Promise<WorkflowStatus> =>
    (await call("workflowStatus", { id })) as WorkflowStatus;
  return {
    id,
    status,
    async result({ signal } = {}) {
      for (let waitMs = pollMs; ; waitMs = Math.min(waitMs * 2, pollMsMax)) {
        signal?.throwIfAborted();
        const { phase, result, error } = await status();
        if (error !== undefined) throw new VodaError(error.code, error.message, { reason: error.reason });
        if (phase === "done") return result;
        await pause(waitMs, signal);
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

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    signal?.addEventListener("abort", done, { once: true });
  });
}

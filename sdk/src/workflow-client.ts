// Workflows as clients start them and look at them.
import { pause } from "./call.ts";
import { VodaError } from "./error.ts";
import { badRequest, checkOptions, type Output, properties, signalProblem } from "./session.ts";
import type { WorkflowStatus } from "./workflow.ts";
import { keptJson } from "./workflow-json.ts";
import { refusedBy, signalNameOf, workflowIdOf } from "./workflow-name.ts";
import {
  type AnyWorkflows,
  type Signal,
  type SignalData,
  type StartArguments,
  type StartOptions,
  startIdOf,
} from "./workflow-start.ts";

/** Options of `result`. */
export interface ResultOptions {
  /** Ends the waiting, not the workflow. */
  readonly signal?: AbortSignal;
}

/**
 * A workflow of a session. Every call rejects with VodaError only: `workflow_not_found` also where the id is
 * that of a workflow of another name.
 */
export interface WorkflowRun<R> {
  readonly id: string;
  status(): Promise<WorkflowStatus>;
  /**
   * What the workflow returns, once it has ended: asks the session again and again until then. Rejects with
   * what it failed with, or `workflow_cancelled`; once `signal` has fired, with its reason, whatever that is.
   */
  result(options?: ResultOptions): Promise<R>;
  /** Has it undo what it did, and end. False when it had ended. */
  cancel(): Promise<boolean>;
  /** Kept until the workflow waits for it. */
  signal<X>(signal: Signal<X>, ...data: SignalData<NoInfer<X>>): Promise<void>;
}

/** `$workflows` of a session, where clients may look at workflows, and no more. */
export type WorkflowLooks<W> = string extends keyof W
  ? AnyWorkflows
  : {
      readonly [K in keyof W]: {
        /** One that was started. */
        get(id: string): WorkflowLook<Awaited<Output<W[K]>>>;
      };
    };

/** What of a workflow only looks at it. */
export type WorkflowLook<R> = Pick<WorkflowRun<R>, "id" | "status" | "result">;

/** `$workflows` of a session: by the name of each. */
export type WorkflowClients<W> = string extends keyof W
  ? AnyWorkflows
  : {
      readonly [K in keyof W]: {
        /** A start under an id that was used gives that one. */
        start(...input: StartArguments<W[K]>): Promise<WorkflowRun<Awaited<Output<W[K]>>>>;
        /** One that was started. */
        get(id: string): WorkflowRun<Awaited<Output<W[K]>>>;
      };
    };

/** A handler of the session is called; `signal` ends the call. */
export type CallFunction = (method: string, input: object, signal?: AbortSignal) => Promise<unknown>;

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
  return properties((workflow) => {
    const way = `$workflows.${workflow}`;
    return {
      async start(input: unknown, options: StartOptions = {}) {
        const given = refusedBy(`${way}.start`, () => ({
          id: startIdOf(options),
          input: keptJson("the input", input),
        }));
        return runOf(call, workflow, idOf(await call("startWorkflow", { workflow, ...given })));
      },
      get: (id: string) =>
        runOf(
          call,
          workflow,
          refusedBy(`${way}.get`, () => workflowIdOf(id)),
        ),
    };
  });
}

const idOf = (started: unknown): string =>
  workflowIdOf(typeof started === "object" && started !== null && "id" in started ? started.id : undefined);

/** @throws VodaError */
function checkedResult(options: ResultOptions): ResultOptions {
  checkOptions("option", options, resultNames);
  const problem = signalProblem(options.signal);
  if (problem !== undefined) throw badRequest(problem);
  return options;
}

/** Each call says which workflow it means: the id may be that of another one. */
function runOf(call: CallFunction, workflow: string, id: string): WorkflowRun<unknown> {
  const one = { id, workflow };
  const way = (method: string): string => `${method} of workflow ${workflow} ${JSON.stringify(id)}`;
  const status = async (signal?: AbortSignal): Promise<WorkflowStatus> =>
    (await call("workflowStatus", one, signal)) as WorkflowStatus;
  return {
    id,
    status: () => status(),
    async result(options = {}) {
      const { signal } = refusedBy(way("result"), () => checkedResult(options));
      for (let waitMs = pollMs; ; waitMs = Math.min(waitMs * 2, pollMsMax)) {
        const { phase, result, error } = await endedBy(status(signal), signal);
        if (error !== undefined) throw new VodaError(error.code, error.message, { reason: error.reason });
        if (phase === "done") return result;
        await pause(waitMs, signal);
        signal?.throwIfAborted();
      }
    },
    cancel: async () => (await call("cancelWorkflow", one)) === true,
    async signal(what: Signal<unknown>, ...[data]: readonly unknown[]) {
      const given = refusedBy(way("signal"), () => ({
        signal: signalNameOf(what),
        data: keptJson("the data", data),
      }));
      await call("signalWorkflow", { ...one, ...given });
    },
  };
}

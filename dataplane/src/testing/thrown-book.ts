// What agents' code has thrown, in the process of a test: its callers hear of it in voda's words alone.
import {
  type AnyAgent,
  type Handler,
  handlersOf,
  VodaError,
  type WorkflowBody,
  type WorkflowStatus,
  workflowsOf,
} from "voda/definition";
import { currentOrigin, type Origin } from "../worker/origin.ts";

/** Errors that are kept for who asks: most are asked for at once, or never. */
const thrownMax = 1_000;
/** How an error of a workflow says that one of its steps has failed. */
const ofStep = /^step ("(?:[^"\\]|\\.)*") of workflow /;
/** The handler whose answer tells how a workflow has ended. */
const statusMethod = "workflowStatus";

/** Hears how code of an agent has ended. */
interface Listener {
  threw?(error: unknown, origin: Origin): void;
  gave?(value: unknown, origin: Origin): void;
}

/**
 * The last of each request, of each workflow and of each of its steps. What is thrown on purpose comes to
 * callers as it is.
 */
export class ThrownBook {
  readonly #byRequest = new Map<string, unknown>();
  readonly #byWorkflow = new Map<string, unknown>();

  /** Handlers of the agent, which are listened to. */
  handlersOf(agent: AnyAgent): ReadonlyMap<string, Handler> {
    const ofAny: Listener = { threw: (error, { request }) => keep(this.#byRequest, request, error) };
    const ofStatus: Listener = { ...ofAny, gave: (status, origin) => this.#looked(status, origin) };
    const heard = (name: string, handler: Handler): Handler => ({
      ...handler,
      run: listened(handler.run, name === statusMethod ? ofStatus : ofAny),
    });
    return new Map([...handlersOf(agent)].map(([name, handler]) => [name, heard(name, handler)]));
  }

  /** Bodies of its workflows and their steps, likewise. */
  workflowsOf(agent: AnyAgent): ReadonlyMap<string, WorkflowBody> {
    const listener: Listener = {
      threw: (error, origin) => keep(this.#byWorkflow, placeOf(origin, origin.request), error),
    };
    const heard = (body: WorkflowBody): WorkflowBody =>
      listened((wf, input) => body(this.#withSteps(wf), input), listener);
    return new Map([...workflowsOf(agent)].map(([name, body]) => [name, heard(body)]));
  }

  /** The context of a body, whose steps are listened to: a body hears of them in voda's words too. */
  #withSteps(wf: object): object {
    const body = currentOrigin();
    if (body === undefined) return wf;
    const heard =
      (way: "run" | "tx") =>
      (name: string, act: unknown, ...more: unknown[]): unknown => {
        const threw = (error: unknown): void =>
          keep(this.#byWorkflow, placeOf(body, body.request, name), error);
        const step: unknown = isFunction(act) ? listened(act, { threw }) : act;
        return Reflect.apply(Reflect.get(wf, way) as StepFunction, wf, [name, step, ...more]);
      };
    return Object.freeze({ ...wf, run: heard("run"), tx: heard("tx") });
  }

  /** What was thrown in that request, or in the workflow that it looked at; it is given once. */
  take(request: string): unknown {
    const error = this.#byRequest.get(request);
    this.#byRequest.delete(request);
    return error;
  }

  #looked(status: unknown, origin: Origin): void {
    const { id, error: end } = (status ?? {}) as Partial<WorkflowStatus>;
    if (end === undefined) return;
    const [, step] = ofStep.exec(end.message) ?? [];
    const error = this.#byWorkflow.get(placeOf(origin, id, step === undefined ? "" : JSON.parse(step)));
    if (error !== undefined) keep(this.#byRequest, origin.request, error);
  }
}

type StepFunction = (...given: unknown[]) => unknown;
const isFunction = (value: unknown): value is StepFunction => typeof value === "function";

/** A step of a workflow, or all of one. */
const placeOf = ({ agent, key }: Origin, id = "", step = ""): string =>
  JSON.stringify([agent, key, id, step]);

function keep(errors: Map<string, unknown>, of: string | undefined, error: unknown): void {
  if (of === undefined) return;
  errors.set(of, error);
  const [oldest] = errors.keys();
  if (errors.size > thrownMax && oldest !== undefined) errors.delete(oldest);
}

/** A proxy: how many parameters a handler has says whether it takes an input. */
function listened<F extends (...args: never[]) => unknown>(run: F, listener: Listener): F {
  const apply = (_: F, self: unknown, args: unknown[]): unknown => {
    const origin = currentOrigin();
    const threw = (error: unknown): void => {
      if (origin !== undefined && !VodaError.is(error)) listener.threw?.(error, origin);
    };
    const gave = (value: unknown): void => {
      if (origin !== undefined) listener.gave?.(value, origin);
    };
    try {
      const result: unknown = Reflect.apply(run, self, args);
      if (result instanceof Promise) result.then(gave, threw);
      else gave(result);
      return result;
    } catch (error) {
      threw(error);
      throw error;
    }
  };
  return new Proxy(run, { apply });
}

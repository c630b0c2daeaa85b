// The thread that runs one bundle: sessions come and go by frames in a ring, their handlers run on this thread's event loop.
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { crc32 } from "node:zlib";
import type { SessionName } from "@voda/proto/session";
import {
  type Check,
  type FieldSchema,
  openState,
  type Schema,
  SchemaError,
  type SessionState,
  UnsupportedFormatError,
} from "@voda/state";
import { assert, unreachable } from "@voda/stdx";
import {
  type AnyAgent,
  definitionOf,
  type FieldDefinition,
  handlersOf,
  isAgent,
  isProvided,
  type Logger,
  type Validate,
  validatorsOf,
} from "voda/definition";
import { fail, type SessionCall } from "../call/index.ts";
import {
  type Channel,
  type Ends,
  type FromWorker,
  fromWorker,
  type LogEntry,
  type LogLevel,
  openChannel,
  pulseMs,
  type ToWorker,
  toWorker,
  type WorkerSetup,
} from "../threads/index.ts";
import { Activation } from "./activation.ts";

/** A message of an agent's log, in characters; the rest is cut. Its fields may have as many. */
const logCharsMax = 8_192;

interface Loaded {
  readonly agent: AnyAgent;
  readonly schema: Schema;
}

interface Opening {
  readonly name: SessionName;
  readonly origin: number;
  readonly pages: Uint8Array[];
  readonly deltas: Uint8Array[];
}

class WorkerThread {
  readonly #agents: ReadonlyMap<string, Loaded>;
  readonly #opening = new Map<number, Opening>();
  readonly #activations = new Map<number, Activation>();

  readonly #ends: Ends;
  #channel: Channel<FromWorker> | undefined;

  constructor(agents: ReadonlyMap<string, Loaded>, ends: Ends) {
    this.#agents = agents;
    this.#ends = ends;
  }

  serve(): void {
    this.#channel = openChannel(this.#ends, {
      encode: fromWorker.encode,
      decode: toWorker.decode,
      onMessage: (message) => this.#handle(message),
    });
  }

  #say(message: FromWorker): void {
    this.#channel?.send(message);
  }

  #handle(message: ToWorker): void {
    const { activation } = message;
    switch (message.type) {
      case "open":
        this.#opening.set(activation, {
          name: message.name,
          origin: message.origin,
          pages: [],
          deltas: [],
        });
        return;
      case "page":
        this.#opening.get(activation)?.pages.push(message.bytes);
        return;
      case "delta":
        this.#opening.get(activation)?.deltas.push(message.bytes);
        return;
      case "opened":
        this.#open(activation);
        return;
      case "run":
        this.#activations.get(activation)?.run(message.call);
        return;
      case "identify": {
        const canonicalHash = this.#activations.get(activation)?.identify(message.call);
        this.#say({ type: "identified", activation, call: message.call.head.number, canonicalHash });
        return;
      }
      case "cancel":
        this.#activations.get(activation)?.cancel(message.call, message.why);
        return;
      case "cut":
        this.#activations.get(activation)?.cut();
        return;
      case "close":
        this.#opening.delete(activation);
        this.#activations.get(activation)?.close();
        this.#activations.delete(activation);
        return;
      default:
        unreachable(message);
    }
  }

  #open(number: number): void {
    const opening = this.#opening.get(number);
    assert(opening !== undefined, `activation ${number} is opened without a beginning`);
    this.#opening.delete(number);
    const { name } = opening;
    const loaded = this.#agents.get(name.agent);
    if (loaded === undefined) {
      this.#openFailed(number, "schema", `the bundle has no agent ${name.agent}`);
      return;
    }
    let state: SessionState;
    try {
      state = openState(loaded.schema, { crc32 }, opening.pages.length > 0 ? opening.pages : undefined);
      for (const delta of opening.deltas) if (delta.length > 0) state.apply(delta);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#openFailed(number, reasonOf(error), `the session's state does not load: ${message}`);
      return;
    }
    const { agent } = loaded;
    this.#activations.set(
      number,
      new Activation({
        number,
        key: name.key,
        origin: opening.origin,
        state,
        handlers: handlersOf(agent),
        turnMsMax: definitionOf(agent).turnMsMax,
        logOf: (call) => this.#logger(name, call),
        say: (said) => this.#say(said),
        sayCut: (after, pages) => {
          for (const bytes of pages) this.#say({ type: "cut_page", activation: number, bytes });
          this.#say({ type: "cut", activation: number, after });
        },
      }),
    );
  }

  #openFailed(activation: number, reason: OpenReason, message: string): void {
    this.#say({ type: "open_failed", activation, failure: fail(reason, message).failure });
  }

  /** Lines name the trace of the call that they are of, so that they are found beside the caller's. */
  #logger({ agent, key }: SessionName, { traceparent }: SessionCall): Logger {
    const trace = traceparent?.split("-")[1];
    const write =
      (level: LogLevel) =>
      (message: string, fields: object = {}): void =>
        this.#say({
          type: "log",
          level,
          line: logLine({ agent, key, ...(trace && { trace }), message, fields }),
        });
    return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  }
}

type OpenReason = "schema" | "corrupt" | "unsupported_format";

function reasonOf(error: unknown): OpenReason {
  if (error instanceof UnsupportedFormatError) return "unsupported_format";
  return error instanceof SchemaError ? "schema" : "corrupt";
}

/** Fields that have no JSON form or are too long are left out, and the line says so. */
function logLine(entry: LogEntry): string {
  const message = entry.message.slice(0, logCharsMax);
  try {
    const line = JSON.stringify({ ...entry, message });
    if (line.length <= 2 * logCharsMax) return line;
    return JSON.stringify({ ...entry, message, fields: { leftOut: `fields of ${line.length} characters` } });
  } catch (error) {
    return JSON.stringify({ ...entry, message, fields: { leftOut: String(error) } });
  }
}

/** Bundles lie where nothing can be found; what they share with the node is the node's own. */
function resolveProvidedHere(): void {
  registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, isProvided(specifier) ? { ...context, parentURL: import.meta.url } : context),
  });
}

async function loadAgents(bundle: string): Promise<ReadonlyMap<string, Loaded>> {
  const loaded: { readonly default?: { readonly agents?: readonly unknown[] } } = await import(
    pathToFileURL(bundle).href
  );
  const agents = (loaded.default?.agents ?? []).filter(isAgent);
  return new Map(agents.map((agent) => [agent.name, { agent, schema: schemaOf(agent) }]));
}

function schemaOf(agent: AnyAgent): Schema {
  const validators = validatorsOf(agent);
  return Object.fromEntries(
    definitionOf(agent).fields.map((field) => [field.name, fieldSchema(field, validators.get(field.name))]),
  );
}

function fieldSchema({ name, kind, initial }: FieldDefinition, validate: Validate | undefined): FieldSchema {
  return {
    kind,
    ...(initial !== undefined && { initial }),
    ...(validate !== undefined && { check: checking(name, validate) }),
  };
}

function checking(name: string, validate: Validate): Check {
  return (value) => {
    const validation = validate(value);
    if (!validation.ok) throw new TypeError(`state.${name}: ${validation.problem}`);
    return validation.value;
  };
}

assert(parentPort !== null, "worker.ts runs in a worker thread");
const setup = workerData as WorkerSetup;
resolveProvidedHere();
const agents = await loadAgents(setup.bundle);
const thread = new WorkerThread(agents, setup.ends);
thread.serve();
setInterval(() => Atomics.add(setup.pulse, 0, 1), pulseMs / 2);
(parentPort satisfies MessagePort).postMessage({ ready: [...agents.keys()] });

// Activations in the process that runs the test: the product's own, on its event loop, with the world of the
// mesh around them.
import { crc32 } from "node:zlib";
import { hash16 } from "@voda/proto/hash16";
import type { HashedPage } from "@voda/proto/wire";
import { assert } from "@voda/stdx";
import type { Opened, Opening, WorkerPort } from "../reactor/index.ts";
import type { SessionMessage } from "../threads/index.ts";
import { Rounds } from "../turn/index.ts";
import { WorkerActivation } from "../worker/activation.ts";
import { loadState } from "../worker/load-state.ts";
import type { ThreadWorld } from "../worker/world.ts";
import type { Deployment } from "./deployment.ts";
import type { Handlers } from "./handlers.ts";
import type { LogBook } from "./log-book.ts";
import type { Channel, Program } from "./program.ts";
import type { ThrownBook } from "./thrown-book.ts";

/** What stands for the thread of a bundle in one life of a node. */
export interface ThreadsParts {
  readonly program: Program;
  readonly deployment: Deployment;
  readonly world: ThreadWorld;
  readonly log: LogBook;
  readonly handlers: Handlers;
  readonly thrown: ThrownBook;
}

type Say = (message: SessionMessage) => void;

/** An activation, and what hears what it says. */
interface Open {
  readonly activation: WorkerActivation;
  readonly say: Say;
}

/**
 * Messages keep their order each way. A handler outlives its node, for nobody can stop it: what it says then
 * is not heard, and what it asks is not answered.
 */
export class Threads {
  readonly #parts: ThreadsParts;
  readonly #open = new Map<number, Open>();
  readonly #rounds: Rounds;
  readonly #toWorker: Channel = [];
  readonly #fromWorker: Channel = [];

  constructor(parts: ThreadsParts) {
    this.#parts = parts;
    const { program, world } = parts;
    this.#rounds = new Rounds({
      nowMs: world.monotonicMs,
      later: (go) => program.deliver(0, go),
      onFull: () => undefined,
    });
  }

  readonly port: WorkerPort = {
    agentOf: ({ agent }) => this.#parts.deployment.messageOf(agent),
    askedAgentOf: ({ agent }) => this.#parts.deployment.messageOf(agent),
    open: (opening) => this.#opened(opening),
    run: (number, call) => this.#send(number, ({ activation }) => activation.run(call)),
    identify: (number, call) =>
      this.#send(number, ({ activation, say }) => {
        const canonicalHash = activation.identify(call);
        say({ type: "identified", activation: number, call: call.head.number, canonicalHash });
      }),
    cancel: (number, call, why) => this.#send(number, ({ activation }) => activation.cancel(call, why)),
    answerAsk: (number, askId, answer) =>
      this.#send(number, ({ activation }) => {
        this.#parts.handlers.answered(askName(number, askId));
        activation.askAnswered(askId, answer);
      }),
    recall: (number, call, recalled) =>
      this.#send(number, ({ activation }) => activation.recall(call, recalled)),
    answerStep: (number, step, answer) =>
      this.#send(number, ({ activation }) => {
        this.#parts.handlers.answered(stepName(number, step));
        activation.stepAnswered(step, answer);
      }),
    outbox: (number, change) => this.#send(number, ({ activation }) => activation.outbox(change)),
    cut: (number) => this.#send(number, ({ activation }) => activation.cut()),
    close: (number) =>
      this.#send(number, ({ activation }) => {
        activation.close();
        this.#open.delete(number);
      }),
    isCurrent: () => true,
  };

  #send(number: number, act: (open: Open) => void): void {
    const due = (): void => {
      this.#rounds.tick();
      const open = this.#open.get(number);
      if (open !== undefined) act(open); // or its state did not load
    };
    this.#parts.program.deliver(0, due, this.#toWorker);
  }

  /** The state is loaded where a thread would do it, after what was sent to the worker before. */
  #opened({ activation: number, name, epoch, image, hear }: Opening): Opened {
    const { program, deployment, handlers, log, world, thrown } = this.#parts;
    const loaded = deployment.of(name.agent);
    assert(loaded !== undefined, `a session of agent ${name.agent}, which is not there`);
    const { agent, message, schema } = loaded;
    const say = speaker((event) => {
      if (event.type === "ask") handlers.waits(askName(number, event.askId), event.by);
      if (event.type === "step") handlers.waits(stepName(number, event.step), event.by);
      program.deliver(0, () => hear(event), this.#fromWorker);
    });
    const start = (): void => {
      const state = loadState(schema, image, crc32);
      if ("failure" in state) {
        say({ type: "open_failed", activation: number, failure: state.failure });
        return;
      }
      const { turnMsMax } = message;
      const ofAgent = {
        handlers: thrown.handlersOf(agent),
        workflows: thrown.workflowsOf(agent),
        turnMsMax,
      };
      const { isReleased } = image;
      const own = { number, logName: "mesh.log", name, epoch, state, isReleased, ...ofAgent };
      const activation = new WorkerActivation({
        ...own,
        log,
        begun: handlers,
        rounds: this.#rounds,
        world,
        say,
        waitingBytes: () => 0,
        broken,
      });
      this.#open.set(number, { activation, say });
    };
    program.deliver(0, start, this.#toWorker);
    return { agent: message, devices: [] };
  }
}

/** The run of the test ends by it. */
function broken(error: unknown): never {
  throw error;
}

const askName = (activation: number, askId: number): string => `ask ${activation} ${askId}`;
const stepName = (activation: number, step: number): string => `step ${activation} ${step}`;

/** The pages of a snapshot are heard with the cut that closes it. */
function speaker(hear: (event: Parameters<Opening["hear"]>[0]) => void): Say {
  let pages: HashedPage[] = [];
  return (message) => {
    if (message.type === "cut_page") {
      pages.push({ bytes: message.bytes, hash: hash16(message.bytes) });
      return;
    }
    if (message.type !== "cut") {
      hear(message);
      return;
    }
    hear({ ...message, pages });
    pages = [];
  };
}

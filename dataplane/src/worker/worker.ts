// The thread that runs one bundle: sessions come and go by frames in a ring, their handlers run on this
// thread's event loop.
import * as timers from "node:timers";
import { getHeapStatistics } from "node:v8";
import { workerData } from "node:worker_threads";
import { crc32 } from "node:zlib";
import type { SessionName } from "@voda/proto/session";
import { assert, systemClock, unreachable } from "@voda/stdx";
import { definitionOf, handlersOf, workflowsOf } from "voda/definition";
import { type Failed, fail } from "../call/index.ts";
import {
  BegunWriter,
  type FromWorker,
  fromWorker,
  openChannel,
  ownThread,
  pulseMs,
  type ThreadChannel,
  type ToWorker,
  toWorker,
  type WorkerSetup,
} from "../threads/index.ts";
import { Rounds } from "../turn/index.ts";
import { WorkerActivation } from "./activation.ts";
import { registerHolder } from "./holder.ts";
import { type LoadedAgent, loadAgents, resolveProvidedHere } from "./load.ts";
import { loadState } from "./load-state.ts";
import { type AgentLog, openAgentLog } from "./log.ts";
import { captureOutput } from "./output.ts";
import { catchStrays, refuseExits } from "./strays.ts";
import { describeThrown } from "./thrown.ts";
import { threadWorld } from "./world.ts";

/** A session on its way in: frames are of bounded size, so an image comes in many of them. */
interface Opening {
  readonly name: SessionName;
  readonly epoch: number;
  readonly isReleased: boolean;
  readonly pages: Uint8Array[];
  readonly deltas: Uint8Array[];
}

/** One per bundle. It ends itself when the bundle does not load, or something of its own fails. */
class WorkerThread {
  readonly log: AgentLog;
  readonly #node: string;
  /** `undefined` while the bundle loads. */
  #agents: ReadonlyMap<string, LoadedAgent> | undefined;
  /** What came meanwhile. */
  #early: ToWorker[] = [];
  /** By activation, a number that never comes again: what is late for one that has ended finds nothing. */
  readonly #opening = new Map<number, Opening>();
  readonly #activations = new Map<number, WorkerActivation>();
  readonly #begun: BegunWriter;
  readonly #channel: ThreadChannel<FromWorker>;
  readonly #rounds: Rounds;
  readonly #exit: () => never;

  constructor({ begun, ends, node }: WorkerSetup, exit: () => never) {
    this.#node = node;
    this.#begun = new BegunWriter(begun);
    this.#exit = exit;
    this.#rounds = new Rounds({
      nowMs: () => systemClock.monotonicMs(),
      later: (go) => void timers.setImmediate(() => this.#goOn(go)),
      onFull: (isFull) => this.#channel.hold(isFull),
    });
    this.#channel = openChannel(ends, {
      encode: fromWorker.encode,
      decode: toWorker.decode,
      onMessage: (message) => this.#receive(message),
      onBroken: (error) => this.#fail(error),
      onTick: () => this.#rounds.tick(),
      onBehind: (isBehind) => {
        this.#begun.behind(isBehind);
        this.#rounds.hold(isBehind);
      },
    });
    this.log = openAgentLog((message) => this.#channel.send(message), {
      nowMs: () => systemClock.monotonicMs(),
      after: (ms, end) => void timers.setTimeout(end, ms),
    });
  }

  /** Sessions that came first are opened once the bundle is there, in their order. */
  async load(bundle: string): Promise<void> {
    try {
      const agents = await loadAgents(bundle);
      const definitions = [...agents.values()].map(({ agent }) => definitionOf(agent));
      this.#say({ type: "loaded", line: JSON.stringify(definitions) });
      this.#agents = agents;
    } catch (error) {
      // The lines of its top level come first: they may say why it throws.
      this.log.settle();
      this.#say({ type: "not_loaded", line: JSON.stringify(describeThrown(error)) });
      this.#exit();
    }
    for (const message of this.#early.splice(0)) this.#receive(message);
  }

  /**
   * What throws in here is a fault of voda's own, not of an agent: the thread ends, so that nobody works on
   * with what it broke.
   */
  #receive(message: ToWorker): void {
    if (this.#agents === undefined) {
      this.#early.push(message);
      return;
    }
    try {
      this.#handle(message);
    } catch (error) {
      this.#fail(error);
    }
  }

  #goOn(go: () => void): void {
    try {
      go();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    const { message: what, stack } = describeThrown(error);
    try {
      this.log.say("error", `voda failed in its worker: ${what}`, { stack });
      this.log.settle();
    } finally {
      this.#exit(); // also when an agent has broken what the line is written with
    }
  }

  #say(message: FromWorker): void {
    this.#channel.send(message);
  }

  /**
   * What is for an activation that has ended is dropped: the host closed it while the message was under way.
   */
  #handle(message: ToWorker): void {
    const { activation } = message;
    switch (message.type) {
      case "open":
        this.#opening.set(activation, {
          name: message.name,
          epoch: message.epoch,
          isReleased: message.isReleased,
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
      case "ask_answered":
        this.#activations.get(activation)?.askAnswered(message.askId, message.answer);
        return;
      case "outbox":
        this.#activations.get(activation)?.outbox(message);
        return;
      case "recall":
        this.#activations.get(activation)?.recall(message.call, message.recalled);
        return;
      case "step_answered":
        this.#activations.get(activation)?.stepAnswered(message.step, message.answer);
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

  /** A state that does not load is the end of this session here, and of no other on the thread. */
  #open(number: number): void {
    const opening = this.#opening.get(number);
    assert(opening !== undefined, `activation ${number} is opened without a beginning`);
    this.#opening.delete(number);
    const { name } = opening;
    const loaded = this.#agents?.get(name.agent);
    if (loaded === undefined) {
      this.#openFailed(number, fail("schema", `the bundle has no agent ${name.agent}`));
      return;
    }
    const state = loadState(loaded.schema, opening, crc32);
    if ("failure" in state) {
      this.#openFailed(number, state);
      return;
    }
    const { agent } = loaded;
    this.#activations.set(
      number,
      new WorkerActivation({
        number,
        logName: `the log of node ${this.#node}`,
        name,
        epoch: opening.epoch,
        isReleased: opening.isReleased,
        state,
        handlers: handlersOf(agent),
        workflows: workflowsOf(agent),
        turnMsMax: definitionOf(agent).turnMsMax,
        log: this.log,
        begun: this.#begun,
        rounds: this.#rounds,
        world: threadWorld,
        say: this.#channel.send,
        waitingBytes: this.#channel.waitingBytes,
        broken: (error) => this.#fail(error),
      }),
    );
  }

  #openFailed(activation: number, { failure }: Failed): void {
    this.#say({ type: "open_failed", activation, failure });
  }
}

const setup = workerData as WorkerSetup;
const thread = new WorkerThread(setup, refuseExits());
// From here on a bundle's import of what the node provides (`voda`) finds the copy that the node has.
resolveProvidedHere();
process.setSourceMapsEnabled(true);
registerHolder(setup.bundle);
catchStrays(thread.log);
captureOutput(thread.log);
const mebibyte = 1024 * 1024;
Atomics.store(setup.pulse, 2, ownThread());
timers.setInterval(() => {
  Atomics.store(setup.pulse, 1, getHeapStatistics().external_memory / mebibyte);
  Atomics.add(setup.pulse, 0, 1);
}, pulseMs / 2);
await thread.load(setup.bundle);

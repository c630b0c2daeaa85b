// A mesh in the process of a test: one node on stores in memory, in virtual time, called by `fetch`.
import { type Agent, MethodAccess } from "@voda/proto/api";
import type { LogLine } from "@voda/proto/log-line";
import { type SessionName, sessionToken } from "@voda/proto/session";
import { LinkedList } from "@voda/stdx";
import type { AnyAgent } from "voda/definition";
import { createNumbers } from "../call/index.ts";
import { Exchange, type Floor } from "../ingress/exchange.ts";
import { createRoutes } from "../ingress/routes.ts";
import { chanceOf } from "./chance.ts";
import { committedState } from "./committed-state.ts";
import { type DeployedAgent, type Deployment, deploymentOf } from "./deployment.ts";
import { createLogBook } from "./log-book.ts";
import { NodeLife, type NodeParts } from "./node.ts";
import { fillIn } from "./older-node.ts";
import { Pump } from "./pump.ts";
import { laterBy, type MeshRequest, requestOf, responseOf } from "./request.ts";
import { type BuriedLetter, MemoryStore } from "./store.ts";
import { ThrownBook } from "./thrown-book.ts";

export interface MeshOptions {
  readonly agents: readonly AnyAgent[];
  /** Draws the order of what happens at the same time; `undefined`: in the order in which it was set off. */
  readonly seed: number | undefined;
  /** Where its clock begins: milliseconds since 1970. */
  readonly nowMs: number;
  /** Before which of its steps the node dies. */
  readonly killAt: number | undefined;
}

/** A request without an answer. */
interface Open {
  readonly request: MeshRequest;
  readonly floor: Floor;
  /** By the clockwork: what it says of its time counts from then on. */
  readonly sentAtMs: number;
  readonly answered: (answer: Response) => void;
  readonly failed: (error: unknown) => void;
  /** In the present life; `undefined` before it has come there. */
  exchange: Exchange | undefined;
}

fillIn();

/** A message that is not taken in this time is not waited for: its handler refuses it for now. */
const settleMsMax = 5_000;

/** Disposal ends all calls that are left; none begins after it, and what is committed can be read still. */
export class MemoryMesh implements Disposable {
  readonly #pump: Pump;
  readonly #store = new MemoryStore();
  readonly #log = createLogBook();
  readonly #deployment: Deployment;
  readonly #parts: NodeParts;
  readonly #floor: Floor;
  /** The same for those who reach internal handlers too. */
  readonly #inside: Floor;
  readonly #open = new Set<Open>();
  readonly #thrown = new ThrownBook();
  /** Whoever waits until a session sleeps: told also when its node dies, for then it is in no memory. */
  readonly #sleepers = new Set<() => void>();
  #node: NodeLife;
  /** Why nothing happens any more. */
  #ended: Error | undefined;
  /** Each has an incarnation of its own, which its number makes. */
  #lives = 1;

  constructor({ agents, seed, nowMs, killAt }: MeshOptions) {
    this.#pump = new Pump({
      seed,
      before: (step) => {
        if (step === killAt) this.kill();
      },
      isStuck: () => this.#open.size > 0 && !this.#node.isBusy,
      broken: (error) => this.#end(error),
    });
    const { clockwork } = this.#pump;
    const numbers = createNumbers();
    this.#deployment = deploymentOf(agents);
    this.#parts = {
      clockwork,
      store: this.#store,
      deployment: this.#deployment,
      log: this.#log,
      world: {
        monotonicMs: () => clockwork.nowMs,
        now: () => nowMs + clockwork.nowMs,
        ...chanceOf(clockwork.random),
      },
      numbers,
      thrown: this.#thrown,
    };
    this.#node = new NodeLife(this.#parts, this.#lives);
    this.#floor = this.#createFloor(numbers, ({ message }) => message);
    this.#inside = this.#createFloor(numbers, ({ message }) => reachable(message));
  }

  /** Milliseconds since 1970. */
  get nowMs(): number {
    return this.#parts.world.now();
  }

  /** What has happened one by one so far. */
  get steps(): number {
    return this.#pump.steps;
  }

  get lines(): readonly LogLine[] {
    return this.#log.lines;
  }

  get deadLetters(): readonly BuriedLetter[] {
    return this.#store.deadLetters;
  }

  /** As the global one, of this mesh alone. */
  readonly fetch: typeof fetch = (input, init) => this.#fetch(this.#floor, input, init);

  /** The same, which reaches internal handlers too. */
  readonly fetchInside: typeof fetch = (input, init) => this.#fetch(this.#inside, input, init);

  async #fetch(floor: Floor, input: Parameters<typeof fetch>[0], init: RequestInit = {}): Promise<Response> {
    this.#throwIfEnded();
    const request = requestOf(input, init);
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const open: Open = {
      request,
      floor,
      sentAtMs: this.#pump.clockwork.nowMs,
      answered: resolve,
      failed: reject,
      exchange: undefined,
    };
    const { signal } = init;
    signal?.throwIfAborted();
    const left = (): void => {
      this.#open.delete(open);
      open.exchange?.gone();
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", left, { once: true });
    this.#send(open);
    return promise.finally(() => signal?.removeEventListener("abort", left));
  }

  /** What was thrown in that request, or in the workflow that it looked at; it is given once. */
  takeThrown(request: string): unknown {
    return this.#thrown.take(request);
  }

  /** Until messages are taken, and nothing more happens by itself at this time. */
  async settle(): Promise<void> {
    this.#throwIfEnded();
    await this.#pump.quiet();
    const untilMs = this.#pump.clockwork.nowMs + settleMsMax;
    await this.#pump.advanceWhile(untilMs, () => this.#node.hasLetters && !this.#node.isBusy);
  }

  async advance(ms: number): Promise<void> {
    this.#throwIfEnded();
    await this.#pump.advance(ms);
  }

  /** The node dies, and starts again at once. Requests without an answer are sent again, under their ids. */
  kill(): void {
    this.#throwIfEnded();
    this.#node.die();
    this.#lives += 1;
    this.#node = new NodeLife(this.#parts, this.#lives);
    for (const asleep of this.#sleepers) asleep();
    for (const open of this.#open) this.#send(open);
  }

  async sleep(name: SessionName): Promise<void> {
    this.#throwIfEnded();
    await this.#pump.quiet();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#sleepers.add(resolve);
    this.#node.sleep(sessionToken(name), resolve);
    await promise;
    this.#sleepers.delete(resolve);
  }

  isAwake(name: SessionName): boolean {
    return this.#ended === undefined && this.#node.isAwake(sessionToken(name));
  }

  /** What is committed, as JSON has it. */
  state(name: SessionName): object {
    const deployed = this.#deployment.of(name.agent);
    if (deployed === undefined) throw new TypeError(`no agent ${name.agent} in this mesh`);
    return committedState(this.#store.of({ name, token: sessionToken(name) }), deployed.schema);
  }

  [Symbol.dispose](): void {
    this.#end(new Error("the test mesh is closed"));
  }

  #throwIfEnded(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }

  #end(error: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#pump[Symbol.dispose]();
    this.#node.die();
    for (const open of this.#open) open.failed(error);
    this.#open.clear();
    for (const asleep of this.#sleepers) asleep();
  }

  /** What the ingress of a node is, without a port. */
  #createFloor(numbers: () => number, messageOf: (agent: DeployedAgent) => Agent): Floor {
    const routes = createRoutes();
    for (const agent of this.#deployment.agents) routes.set(messageOf(agent));
    return {
      routes,
      submit: (call, reply) => this.#node.submit(call, reply),
      numbers,
      clock: { monotonicMs: () => this.#pump.clockwork.nowMs, wallMs: () => this.nowMs },
      // nobody else can reach it
      border: { problem: () => undefined, readable: () => undefined, preflight: () => undefined },
      edge: { set: () => undefined, holds: () => true },
      open: new LinkedList(),
      unsent: new LinkedList(),
      bodyBytes: 0,
      unsentBytes: 0,
    };
  }

  /**
   * As a client sends it, the first time or again: it says what is left of its time. The answer of a life
   * that is over comes to nobody.
   */
  #send(open: Open): void {
    this.#open.add(open);
    this.#node.soon(() => {
      if (!this.#open.has(open)) return; // its caller has left
      const { head, body } = laterBy(open.request, this.#pump.clockwork.nowMs - open.sentAtMs);
      const exchange = new Exchange(open.floor, head, {
        send: (answer) => {
          this.#open.delete(open);
          open.answered(responseOf(answer));
        },
        discard: () => undefined,
        cut: () => undefined,
      });
      open.exchange = exchange;
      if (body.length > 0) exchange.push(body);
      exchange.end();
      if (!this.#open.has(open)) exchange.gone();
    });
  }
}

/** As it is deployed, but that nothing of it is internal. */
const reachable = (message: Agent): Agent => ({
  ...message,
  methods: message.methods.map((method) => ({ ...method, access: MethodAccess.PUBLIC })),
});

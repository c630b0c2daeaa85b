// Worker threads of a simulated node: each activation runs the product's turns; messages keep their order
// each way, and threads die.
import { create } from "@bufbuild/protobuf";
import { AgentSchema, MethodMode } from "@voda/proto/api";
import { type Call, fail, type StepMessage } from "../../../dataplane/src/call/index.ts";
import type { WorkerPort } from "../../../dataplane/src/reactor/index.ts";
import type { Opened, Opening } from "../../../dataplane/src/reactor/ports.ts";
import { Rounds, tickMs } from "../../../dataplane/src/turn/index.ts";
import { Violation } from "./checks.ts";
import type { Operation } from "./clients.ts";
import type { Clockwork } from "./clockwork.ts";
import type { Channel, SimProgram } from "./program.ts";
import { askedSession, isAsked, nobody } from "./sessions.ts";
import type { Begun } from "./steps.ts";
import { createWorker, type SimWorker } from "./worker.ts";

/** Its methods are the numbers of operations. */
const operationsMax = 400;
/** Of a tick: two calls begin in it. */
const lookMs = tickMs / 3;
const methods = Array.from({ length: operationsMax }, (_, at) => ({
  name: String(at + 1),
  mode: MethodMode.HANDLER,
}));
const agent = create(AgentSchema, { name: "simulated", queueMax: 10_000, turnMsMax: 30_000, methods });

export interface ThreadsOptions {
  readonly clockwork: Clockwork;
  readonly program: SimProgram;
  readonly operation: (number: number) => Operation;
  readonly begins: (begun: Begun) => void;
  /** The handler of an operation ends the program, or it is closed under it; else it ends. */
  readonly kill: (operation: Operation, end: () => void) => void;
  /** What was asked from that state comes to the worker of the other session. */
  readonly arrives: (call: Call) => void;
}

/** Messages to and from the workers keep their order each way. */
export class Threads {
  readonly #options: ThreadsOptions;
  readonly #workers = new Map<number, SimWorker>();
  /** Their handlers had begun in a worker of which the node heard that it was lost. */
  readonly #onceOnly = new Set<number>();
  /** Activations that the node has not closed. */
  readonly #open = new Set<number>();
  readonly #calls = new Map<number, Call>();
  /** What handlers wanted to do. */
  readonly #steps = new Map<string, StepMessage>();
  #performed = 0;
  #toWorker: Channel = [];
  #fromWorker: Channel = [];
  #rounds = this.#openRounds();

  constructor(options: ThreadsOptions) {
    this.#options = options;
  }

  readonly port: WorkerPort = {
    agentOf: () => agent,
    askedAgentOf: ({ agent: name }) =>
      name === nobody ? fail("agent_not_found", "there is none of that name") : agent,
    open: (opening) => this.#opened(opening),
    run: (activation, call) => this.#run(activation, call),
    identify: (activation, call) => {
      const { number } = call.head;
      this.#calls.set(number, call);
      this.#send(activation, (worker) => worker.identify(number));
    },
    cancel: (activation, call, why) =>
      this.#send(activation, (worker) => worker.feed({ type: "cancel", call, why })),
    answerAsk: (activation, askId, answer) =>
      this.#send(activation, (worker) => worker.askAnswered(askId, answer)),
    recall: () => this.#options.clockwork.meet("a step that is noted is not done again"),
    answerStep: (activation, step, answer) => {
      if (answer.type === "begin") this.#begins(activation, step, answer.idempotencyKey);
      this.#send(activation, (worker) => worker.stepAnswered(step, answer));
    },
    cut: (activation) => this.#send(activation, (worker) => worker.feed({ type: "cut" })),
    close: (activation) => {
      this.#open.delete(activation);
      this.#send(activation, (worker) => {
        worker.feed({ type: "close" });
        this.#workers.delete(activation);
      });
    },
    outbox: (_activation, { messages }) => {
      if (messages < 0) this.#options.clockwork.meet("a letter is over");
    },
    isCurrent: () => true,
  };

  start(): void {
    this.#workers.clear();
    this.#onceOnly.clear();
    this.#open.clear();
    this.#calls.clear();
    this.#steps.clear();
    this.#toWorker = [];
    this.#fromWorker = [];
    this.#rounds = this.#openRounds();
  }

  lose(told: (activation: number, begun: ReadonlySet<number>) => void): void {
    const lost = [...this.#workers];
    this.#workers.clear();
    // what they had said is heard first
    for (const [activation, { begun }] of lost) {
      const due = (): void => {
        // one that was closed meanwhile, such as of a session that is fenced, says nothing any more
        const writers = [...begun].filter((call) => !this.#call(call).head.readonly);
        if (this.#open.has(activation)) for (const call of writers) this.#onceOnly.add(call);
        told(activation, begun);
      };
      this.#options.program.deliver(1, due, this.#fromWorker);
    }
  }

  #opened({ activation, image, name, hear }: Opening): Opened {
    this.#open.add(activation);
    const { program, operation } = this.#options;
    const { random } = this.#options.clockwork;
    const worker = createWorker({
      activation,
      image,
      rounds: this.#rounds,
      operation: (number) => operation(Number(this.#call(number).method)),
      letter: (number) => {
        const { id } = this.#call(number).head;
        return id?.type === "sent" ? id.n : 0;
      },
      ask: isAsked(name)
        ? undefined
        : (by, askId, seen) => {
            const request = this.#requestOf(by, seen);
            const due = (): void => hear({ type: "ask", activation, by, askId, request });
            program.deliver(random.next(), due, this.#fromWorker);
          },
      perform: (step) => {
        this.#performed += 1;
        return `${step} ${random.below(2 ** 30)}.${this.#performed}`;
      },
      kill: (one, end) => program.deliver(random.next() * 5, () => this.#options.kill(one, end)),
      refuses: () => random.chance(0.4),
      nowMs: () => program.clocks.monotonicMs,
      run: (done) => {
        const end = (): void => {
          if (this.#workers.get(activation) === worker) done(); // or its thread is gone
        };
        program.deliver(random.chance(0.1) ? random.below(600) : random.next() * 10, end);
      },
      say: (message) => {
        if (message.type === "step") this.#steps.set(`${activation}.${message.step}`, message);
        program.deliver(random.next(), () => hear(message), this.#fromWorker);
      },
    });
    program.deliver(random.next(), () => this.#workers.set(activation, worker), this.#toWorker);
    return { agent, devices: [] };
  }

  /** Virtual time stands still while handlers begin: each look at the clock takes a part of the tick. */
  #openRounds(): Rounds {
    let looks = 0;
    return new Rounds({
      nowMs: () => {
        looks += 1;
        return looks * lookMs;
      },
      later: (go) => {
        this.#options.clockwork.meet("a call waits for the next tick of its thread");
        this.#options.program.deliver(0, go);
      },
      onFull: () => undefined,
    });
  }

  #begins(activation: number, number: number, key: Uint8Array): void {
    const step = this.#steps.get(`${activation}.${number}`);
    if (step === undefined) throw new Violation(`step ${number} of ${activation} begins, and was not wanted`);
    const operation = this.#options.operation(Number(this.#call(step.by).method));
    const seen = this.#workers.get(activation)?.seenAt.get(number);
    if (seen === undefined) return; // its thread is gone
    this.#options.begins({ operation, name: step.name, idempotencyKey: key.toHex(), seen });
  }

  /** The state that it was asked from travels where nobody looks. */
  #requestOf(by: number, seen: string): Call {
    const asking = this.#call(by);
    const head = { ...asking.head, id: undefined };
    return { ...asking, ...askedSession, head, chain: ["simulated/session"], traceparent: seen };
  }

  #run(activation: number, call: Call): void {
    const { number } = call.head;
    this.#calls.set(number, call);
    if (call.chain.length > 0 && call.head.id?.type !== "sent") this.#options.arrives(call);
    this.#send(activation, (worker) => {
      if (this.#onceOnly.has(number))
        throw new Violation(`call ${number} begins again after its worker was lost`);
      worker.run(call.head);
    });
  }

  #send(activation: number, act: (worker: SimWorker) => void): void {
    const { clockwork, program } = this.#options;
    const due = (): void => {
      const worker = this.#workers.get(activation);
      if (worker !== undefined) act(worker); // or it was lost
    };
    program.deliver(clockwork.random.next(), due, this.#toWorker);
  }

  #call(number: number): Call {
    const call = this.#calls.get(number);
    if (call === undefined) throw new Violation(`call ${number} never came to a worker`);
    return call;
  }
}

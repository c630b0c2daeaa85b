// Worker threads of a simulated node: each activation runs the product's turns; messages keep their order each way, and threads die.
import { create } from "@bufbuild/protobuf";
import { AgentSchema } from "@voda/proto/api";
import type { Call } from "../../../dataplane/src/call/index.ts";
import type { WorkerEvent, WorkerPort } from "../../../dataplane/src/reactor/index.ts";
import { Violation } from "./checks.ts";
import type { Operation } from "./clients.ts";
import type { Clockwork } from "./clockwork.ts";
import type { Channel, SimProcess } from "./process.ts";
import { createWorker, type SimWorker } from "./worker.ts";

const agent = create(AgentSchema, { name: "simulated", queueMax: 10_000, turnMsMax: 30_000 });

export interface ThreadsOptions {
  readonly clockwork: Clockwork;
  readonly process: SimProcess;
  readonly operation: (number: number) => Operation;
  readonly said: (event: WorkerEvent) => void;
}

export interface Threads {
  readonly port: WorkerPort;
  start(): void;
  lose(told: (activation: number, begun: ReadonlySet<number>) => void): void;
}

/** Messages to and from the workers keep their order each way. */
export function createThreads({ clockwork, process, operation, said }: ThreadsOptions): Threads {
  const { random } = clockwork;
  const workers = new Map<number, SimWorker>();
  /** Their handlers had begun in a worker that was lost. */
  const neverAgain = new Set<number>();
  const calls = new Map<number, Call>();
  let toWorker: Channel = [];
  let fromWorker: Channel = [];

  const send = (activation: number, act: (worker: SimWorker) => void): void =>
    process.deliver(
      random.next(),
      () => {
        const worker = workers.get(activation);
        if (worker !== undefined) act(worker); // or it was lost
      },
      toWorker,
    );
  const callIn = (number: number): Call => {
    const call = calls.get(number);
    if (call === undefined) throw new Violation(`call ${number} never came to a worker`);
    return call;
  };
  const port: WorkerPort = {
    agentOf: () => agent,
    open({ activation, image }) {
      const worker = createWorker({
        activation,
        image,
        operation: (number) => operation(Number(callIn(number).method)),
        nowMs: () => process.monotonicMs,
        run: (done) => process.deliver(random.chance(0.1) ? random.below(600) : random.next() * 10, done),
        say: (message) => process.deliver(random.next(), () => said(message), fromWorker),
      });
      process.deliver(random.next(), () => workers.set(activation, worker), toWorker);
      return { agent, devices: [] };
    },
    run(activation, call) {
      const { number } = call.head;
      calls.set(number, call);
      send(activation, (worker) => {
        if (neverAgain.has(number))
          throw new Violation(`call ${number} begins again after its worker was lost`);
        worker.step({ type: "run", call: call.head });
      });
    },
    identify(activation, call) {
      const { number } = call.head;
      calls.set(number, call);
      send(activation, (worker) => worker.identify(number));
    },
    cancel: (activation, call, why) =>
      send(activation, (worker) => worker.step({ type: "cancel", call, why })),
    cut: (activation) => send(activation, (worker) => worker.step({ type: "cut" })),
    close: (activation) =>
      send(activation, (worker) => {
        worker.step({ type: "close" });
        workers.delete(activation);
      }),
    isCurrent: () => true,
  };
  return {
    port,
    start() {
      workers.clear();
      neverAgain.clear();
      calls.clear();
      toWorker = [];
      fromWorker = [];
    },
    lose(told) {
      const lost = [...workers];
      workers.clear();
      // what they had said is heard first
      for (const [activation, { begun }] of lost) {
        for (const call of begun) if (!callIn(call).head.readonly) neverAgain.add(call);
        process.deliver(1, () => told(activation, begun), fromWorker);
      }
    },
  };
}

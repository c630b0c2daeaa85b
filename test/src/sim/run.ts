// One schedule: a mesh, its clients and its faults from one seed, checked after every step, until everything
// has come to rest.

import { crc32 } from "node:zlib";
import { AssertionError } from "@voda/stdx";
import { nodeEndsMax } from "../../../dataplane/src/lane/constants.ts";
import { decodeRecord } from "../../../dataplane/src/lane/index.ts";
import { Violation } from "./checks.ts";
import { Clients, type Operation } from "./clients.ts";
import { type Clockwork, createClockwork } from "./clockwork.ts";
import type { Coverage } from "./coverage.ts";
import { createLeases, type LeaseNews, type Leases } from "./leases.ts";
import { areOver, checkBuried, checkEnds, checkTaken, everOf } from "./letters.ts";
import { SimNode } from "./node.ts";
import { type FaultPlan, planRun, type RunOptions } from "./options.ts";
import type { Stores } from "./sessions.ts";
import { Outside } from "./steps.ts";
import { SimStore } from "./store.ts";
import { SimTimers } from "./timers.ts";

export interface RunResult {
  readonly seed: number;
  /** What went wrong; `undefined` when everything held and everything was done. */
  readonly problem: string | undefined;
  readonly trace: readonly string[];
  readonly steps: number;
  readonly coverage: Coverage;
}

const stepsMax = 200_000;
/** Time after the last fault within which everything must be done. */
const calmMsMax = 180_000;
/** Until what failed is up again, and leases have ended. */
const calmAfterMs = 30_000;

export function run(options: RunOptions): RunResult {
  const clockwork = createClockwork(options.seed);
  const plan = planRun(options, clockwork.random);
  const { trace, coverage } = clockwork;
  let steps = 0;
  if (plan.isLong) clockwork.meet("the product's bounds");
  try {
    const mesh = createMesh(plan, clockwork);
    mesh.begin();
    while (!mesh.isAtRest()) {
      if (
        clockwork.nowMs > plan.busyMs + calmMsMax * (sendsSomething(plan) || plan.runs > 0 ? 5 : 1) ||
        steps > stepsMax
      )
        throw new Violation(`not done: ${mesh.describe()}`);
      if (!clockwork.next()) throw new Violation(`nothing happens any more: ${mesh.describe()}`);
      steps += 1;
    }
    return { seed: options.seed, problem: undefined, trace, steps, coverage };
  } catch (error) {
    if (!(error instanceof Violation) && !(error instanceof AssertionError)) throw error;
    return { seed: options.seed, problem: error.message, trace, steps, coverage };
  }
}

const sendsSomething = ({ sends, timers }: FaultPlan): boolean => sends + timers > 0;

interface Mesh {
  begin(): void;
  isAtRest(): boolean;
  describe(): string;
}

function createMesh(plan: FaultPlan, clockwork: Clockwork): Mesh {
  const { random } = clockwork;
  const timers = new SimTimers({
    clockwork,
    timing: (operation) => clients.operation(operation).timing,
    calmFromMs: plan.busyMs + calmAfterMs,
  });
  const stores: Stores = createStores({ plan, clockwork, timers, clients: () => clients });
  const isOver = (): boolean =>
    !sendsSomething(plan) || (areOver(clients, stores) && timers.areOver(everOf(stores.asked)));
  const outside = new Outside(stores.main, clockwork);
  const nodes: SimNode[] = [];
  const history: LeaseNews[] = [];
  const start = (node: SimNode): void => {
    node.start();
    for (const news of history) node.hear(news);
  };
  const leases: Leases = createLeases(
    clockwork,
    () => stores.main.isUp,
    (news) => {
      history.push(news);
      for (const node of nodes) node.hear(news);
    },
  );
  const kill = killer({ clockwork, start });
  const clients: Clients = new Clients({
    plan,
    clockwork,
    stores,
    send: (attempt) => random.pick(nodes).receive(attempt),
  });
  for (let index = 0; index < plan.nodes; index += 1) {
    nodes.push(
      new SimNode({
        index,
        plan,
        clockwork,
        stores,
        leases: () => leases,
        answered: (attempt, answer) => clients.answered(attempt, answer),
        operation: (number) => clients.operation(number),
        begins: (begun) => outside.begins(begun),
        kill,
        nodeOf: (incarnation) => nodeAt(nodes, Number(incarnation[0])),
      }),
    );
  }

  return {
    begin() {
      for (const node of nodes) start(node);
      clients.begin();
      planFaults({ plan, clockwork, stores, nodes, leases, start });
      const goToSleep = sleeper({ clockwork, stores, nodes, clients, isOver });
      clockwork.after(plan.busyMs, goToSleep);
    },
    isAtRest: () =>
      clockwork.nowMs > plan.busyMs &&
      clients.areDone &&
      isOver() &&
      isAsleep(stores.main) &&
      isAsleep(stores.asked) &&
      nodes.every((node) => node.isIdle && node.unanswered === 0),
    describe: () => `${describe(clients, nodes, stores)}; all is over: ${isOver()}`,
  };
}

type Sleeping = Pick<Scene, "clockwork" | "stores" | "nodes"> & {
  readonly clients: Clients;
  /** Whether nothing that was sent, or is to be done later, is left. */
  readonly isOver: () => boolean;
};

/** Puts the sessions to sleep when everything is done, again and again until they are. */
function sleeper({ clockwork, stores, nodes, clients, isOver }: Sleeping): () => void {
  let earlySleeps = 4;
  const goToSleep = (): void => {
    clockwork.after(500, goToSleep);
    if (!clients.areDone) return;
    const isAllOver = isOver();
    if (isAllOver && nodes.every((node) => node.isIdle)) {
      if (!isAsleep(stores.main)) clients.wake("wake");
      if (!isAsleep(stores.asked)) clients.wake("wakeAsked");
    } else if (!isAllOver) {
      // what sleeps with letters must be woken for them by its bell alone
      if (earlySleeps === 0 || !clockwork.random.chance(0.2)) return;
      earlySleeps -= 1;
    }
    for (const node of nodes) node.sleep();
  };
  return goToSleep;
}

function describe(clients: Clients, nodes: readonly SimNode[], { main, asked }: Stores): string {
  const waiting = clients.operations
    .filter((operation) => !operation.isDone)
    .map(({ kind, number }) => `${kind} ${number}`);
  const calls = nodes.map((node, i) => `node ${i} owes ${node.unanswered} answers`);
  return [
    `waiting: ${waiting.join(", ") || "nobody"}`,
    `asleep: ${isAsleep(main)}, the asked one: ${isAsleep(asked)}`,
    `letters are over: ${areOver(clients, { main, asked })}`,
    ...nodes.map((node) => node.describe()),
    ...calls,
  ].join("; ");
}

interface Checking extends Pick<Scene, "plan" | "clockwork"> {
  readonly timers: SimTimers;
  readonly clients: () => Clients;
}

/** Each checks what it accepts. */
function createStores({ plan, clockwork, timers, clients }: Checking): Stores {
  const quiet = { plan, clockwork, mayRepeat: () => false, onBuried: () => undefined };
  const stores: Stores = {
    main: new SimStore({
      ...quiet,
      onLoss: (left) => clients().forget(left),
      onBuried: (operation) => checkBuried(operation, clients(), stores),
      onAccepted: (record, operations) => timers.accepted(record, operations),
    }),
    asked: new SimStore({
      ...quiet,
      mayRepeat: (operation) => clients().isForgotten(operation),
      onLoss: (left) => clients().forgetAsked(left),
      onAccepted: (_record, operations) => {
        for (const operation of operations.map(Math.trunc)) {
          checkTaken(operation, clients(), stores, clockwork);
          timers.checkTaken(operation);
        }
      },
    }),
  };
  return stores;
}

/** An incarnation begins with the index of its node. */
function nodeAt(nodes: readonly SimNode[], index: number): SimNode {
  const node = nodes[index];
  if (node === undefined) throw new Violation(`there is no node ${index}`);
  return node;
}

/** The session is released or deleted: nothing that is needed is in a memory. */
function isAsleep(store: SimStore): boolean {
  const last = store.last(true);
  if (last === undefined) return true;
  const record = decodeRecord(last.bytes, crc32);
  return record.type === "gone" || (record.type === "fold" && record.released);
}

interface Scene {
  readonly plan: FaultPlan;
  readonly clockwork: Clockwork;
  readonly stores: Stores;
  readonly nodes: readonly SimNode[];
  readonly leases: Leases;
  readonly start: (node: SimNode) => void;
}

function planFaults(scene: Scene): void {
  const { plan, clockwork, nodes } = scene;
  const { random } = clockwork;
  const { faults } = plan;
  const sometime = (count: number, act: () => void): void => {
    for (let i = 0; i < count; i += 1) clockwork.after(random.below(plan.busyMs), act);
  };
  sometime(faults.crashes, () => crash(scene, random.pick(nodes)));
  sometime(faults.pauses, () => pause(scene, random.pick(nodes), false));
  sometime(faults.suspensions, () => pause(scene, random.pick(nodes), true));
  sometime(faults.clockSteps, () => stepClock(scene, random.pick(nodes)));
  sometime(faults.disconnects, () => random.pick(nodes).link.lose(random.below(plan.disconnectMsMax)));
  sometime(faults.workerLosses, () => random.pick(nodes).loseWorkers());
  sometime(faults.storeRestarts, () => restartStore(scene, 50 + random.below(4000), false));
  sometime(faults.powerLosses, () => restartStore(scene, 3000 + random.below(1000), true));
  sometime(faults.fills, () => fillStore(scene, 200 + random.below(5000)));
  sometime(plan.sleeps, () => random.pick(nodes).sleep());
}

/** More often than nodes may end under a letter. */
const closingsMax = nodeEndsMax + 3;

/** A letter ends its node, or its node is closed under it. */
function killer(scene: Pick<Scene, "clockwork" | "start">) {
  const ends = new Map<number, number>();
  return (node: SimNode, { number, kind }: Operation, end: () => void): void => {
    const count = (ends.get(number) ?? 0) + 1;
    ends.set(number, count);
    if (kind === "killer") {
      checkEnds(number, count);
      scene.clockwork.meet("a letter ends its node");
      crash(scene, node);
    } else if (count > closingsMax) {
      scene.clockwork.meet("a letter is taken after its node was closed under it");
      end();
    } else {
      node.holder.close();
      crash(scene, node);
    }
  };
}

function crash({ clockwork, start }: Pick<Scene, "clockwork" | "start">, node: SimNode): void {
  if (!node.program.isUp) return;
  node.crash();
  clockwork.meet("a program dies");
  clockwork.after(clockwork.random.below(5000), () => start(node));
}

function stepClock({ clockwork }: Scene, { program }: SimNode): void {
  program.stepClock();
  clockwork.meet("a wall clock steps");
}

/** Alone, or with its machine. */
function pause({ clockwork }: Scene, node: SimNode, suspended: boolean): void {
  const { program } = node;
  if (!program.isUp || program.isPaused) return;
  const { generation } = program;
  clockwork.say(`${node.describe()}: ${suspended ? "suspended" : "stopped"}`);
  clockwork.meet(suspended ? "a machine is suspended" : "a program is stopped");
  program.pause(suspended);
  clockwork.after(
    clockwork.random.chance(0.7) ? clockwork.random.below(6000) : clockwork.random.below(500),
    () => {
      if (program.generation !== generation) return;
      clockwork.say(`${node.describe()}: goes on`);
      program.resume();
    },
  );
}

/** One server has the lanes of both sessions. */
function fillStore({ stores, plan }: Scene, ms: number): void {
  stores.main.fill(ms);
  if (plan.asks > 0 || sendsSomething(plan)) stores.asked.fill(ms);
}

/**
 * Everybody's connection breaks. With the power goes what was not synced; it is back later than any owner's
 * window.
 */
function restartStore(
  { clockwork, plan, stores, nodes, leases }: Scene,
  downMs: number,
  lossy: boolean,
): void {
  const { main, asked } = stores;
  if (!main.isUp) return;
  clockwork.say(`store: ${lossy ? "loses its power" : "stops"}`);
  clockwork.meet("the store stops");
  main.stop();
  asked.stop();
  for (const node of nodes) node.link.lose(0);
  clockwork.after(downMs, () => {
    clockwork.say("store: is back");
    main.start(lossy);
    asked.start(lossy && plan.asks > 0);
    leases.sweep();
  });
}

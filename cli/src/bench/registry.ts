// The benchmarks of `voda bench`.
import { resolve } from "node:path";
import { type BenchFlag, text, whole } from "@voda/stdx/bench";
import { CliError, exitCodes } from "../failure.ts";
import { examples, programs } from "../programs.ts";
import { nodesMax } from "../up/mesh.ts";
import { ask } from "./ask.ts";
import { calls } from "./calls.ts";
import { counters } from "./counters.ts";
import { kill, killFailure } from "./kill.ts";
import { type KillOptions, type KillTarget, killTargets } from "./killing.ts";
import { type BenchMesh, foreignMesh, type OwnMeshOptions, ownMesh } from "./mesh.ts";
import type { MeshBench, MeshRun } from "./mesh-bench.ts";
import { meshTrace } from "./mesh-trace.ts";
import { send } from "./send.ts";
import { size } from "./size.ts";
import { ps, ready } from "./start.ts";
import { timers } from "./timers.ts";
import { topics } from "./topics.ts";
import { type WakeResult, wake } from "./wake.ts";

const secondsMax = 3600;
/** Calls on their way at once: connections are what the machine has few of. */
const atOnceMax = 10_000;
const sessionsMax = 1_000_000;
const timersBenchMax = 1_000_000;
/** Of one session: `timersMax`, but for the one that wakes it. */
const sessionTimersMax = 4_000;
/** Of one session of a topic: `seenMax`. */
const subscribersMax = 32_768;
const messagesMax = 1_000;
/** Of one kind: each is a record, and the store is on this disk. */
const sendsMax = 1_000_000;
const runsMax = 1000;
/** Of a text that one call writes. */
const charactersMax = 1_000_000;

/** A flag that more than one bench has: what it counts, and how much of it, is the bench's to say. */
const counted =
  (name: string, most: number) =>
  (description: string, usual: number): BenchFlag => ({
    name,
    type: "whole",
    least: 1,
    most,
    description,
    default: usual,
  });
const clientsFlag = counted("clients", atOnceMax);
const sessionsFlag = counted("sessions", sessionsMax);
const secondsFlag = counted("seconds", secondsMax);
const runsFlag = counted("runs", runsMax);
const configFlag: BenchFlag = {
  name: "config",
  type: "text",
  description: "agents of a mesh of its own",
  default: examples.config,
};

/** Two nodes by default: calls then also pass between nodes, as they do for users. */
const ownMeshFlags: readonly BenchFlag[] = [
  {
    name: "nodes",
    type: "whole",
    least: 1,
    most: nodesMax,
    description: "node processes of a mesh of its own",
    default: 2,
  },
  configFlag,
];

const seedFlag: BenchFlag = {
  name: "seed",
  type: "whole",
  description: "decides what is killed, when, and which session is called",
  default: 1,
};
const killEveryFlag = (usual: number): BenchFlag => ({
  name: "kill-every-ms",
  type: "whole",
  least: 1,
  description: "mean time between two kills, which come at random",
  default: usual,
});

/** Benches whose promise must hold while nodes die. */
const meshFlags = (killEveryMs: number): readonly BenchFlag[] => [
  ...ownMeshFlags,
  {
    name: "kill",
    type: "text",
    description: "what is killed with SIGKILL: node, or nothing",
    default: "nothing",
  },
  killEveryFlag(killEveryMs),
  seedFlag,
];

/** A new bench of a mesh is a file and an entry here. */
export const benches: readonly MeshBench[] = [
  {
    name: "mesh-trace",
    summary: "replay an editing history onto sessions of `editor`; every final text must be the history's",
    takesUrl: true,
    flags: [
      {
        name: "file",
        type: "text",
        description: "editing history (.json or .json.gz)",
        default: examples.trace,
      },
      sessionsFlag("sessions, all at once", 16),
      {
        name: "edits-per-call",
        type: "whole",
        least: 1,
        description: "consecutive edits in one call",
        default: 16,
      },
      ...meshFlags(3000),
    ],
    run: async (run) => {
      const { values, say } = run;
      // Before the mesh is started: flags that cannot be are refused at once.
      const kills = killing(run);
      await using mesh = await open(run);
      const sizes = { sessions: whole(values, "sessions"), editsPerCall: whole(values, "edits-per-call") };
      const figures = { ...(await meshTrace(mesh, { file: text(values, "file"), ...sizes, ...kills }, say)) };
      return { figures, ...(!figures.equal && { failure: "a final text differs from the history's" }) };
    },
  },
  {
    name: "counters",
    summary: "increment many counters from many clients; no acknowledged increment may be lost or doubled",
    takesUrl: true,
    flags: [
      clientsFlag("clients, each with one call at a time", 64),
      sessionsFlag("counters", 1000),
      secondsFlag("how long", 60),
      ...meshFlags(5000),
    ],
    run: async (run) => {
      const { values, say } = run;
      const kills = killing(run);
      await using mesh = await open(run);
      const sizes = {
        clients: whole(values, "clients"),
        sessions: whole(values, "sessions"),
        seconds: whole(values, "seconds"),
      };
      const figures = { ...(await counters(mesh, { ...sizes, ...kills }, say)) };
      // A loss and a double do not make up for each other: they are counted session by session.
      const wrong = figures.lost > 0 || figures.doubled > 0;
      return {
        figures,
        ...(wrong && { failure: `${figures.lost} increments were lost and ${figures.doubled} doubled` }),
      };
    },
  },
  {
    name: "calls",
    summary:
      "call awake counters at one node's own ingress, in turns with an echo server: calls per second, CPU per call",
    flags: [
      clientsFlag("connections, each with one call at a time", 64),
      sessionsFlag("counters", 1000),
      secondsFlag("how long each of the two is called by all clients", 10),
      configFlag,
    ],
    run: async ({ values, say }) => {
      // One node: a call that is passed on would be counted with the CPU of two.
      await using mesh = await ownMesh({ nodes: 1, config: resolve(text(values, "config")) });
      const sizes = {
        clients: whole(values, "clients"),
        sessions: whole(values, "sessions"),
        seconds: whole(values, "seconds"),
      };
      const { figures, ...wrong } = await calls(mesh, sizes, say);
      const { failed, lost, doubled } = wrong;
      const failure = `${failed} calls failed, ${lost} were lost and ${doubled} doubled`;
      return { figures: { ...figures, ...wrong }, ...(failed + lost + doubled > 0 && { failure }) };
    },
  },
  {
    name: "ask",
    summary: "let a session ask another, here and on another node, in turns with an echo of another thread",
    flags: [
      secondsFlag("how long each kind of asks is asked", 5),
      {
        name: "at-once",
        type: "whole",
        least: 1,
        most: atOnceMax,
        description: "asks on their way when they are piped",
        default: 256,
      },
    ],
    run: async ({ values, say }) => {
      // One to ask within, and one to ask across.
      await using mesh = await ownMesh({ nodes: 2, config: programs().askConfig });
      const sizes = { seconds: whole(values, "seconds"), atOnce: whole(values, "at-once") };
      const { figures, lost, doubled } = await ask(mesh, sizes, say);
      const failure = `${lost} asks were lost and ${doubled} doubled`;
      return { figures: { ...figures, lost, doubled }, ...(lost + doubled > 0 && { failure }) };
    },
  },
  {
    name: "send",
    summary: "let sessions send to others, here and on another node, in turns with calls of the same turns",
    flags: [
      counted("messages", sendsMax)("of each kind, in all slices", 20_000),
      counted("pairs", atOnceMax)("sessions that send, each to one here and one there", 64),
    ],
    run: async ({ values, say }) => {
      // One to send within, and one to send across.
      await using mesh = await ownMesh({ nodes: 2, config: programs().sendConfig });
      const sizes = { messages: whole(values, "messages"), pairs: whole(values, "pairs") };
      const { figures, lost, doubled } = await send(mesh, sizes, say);
      const failure = `${lost} messages were lost and ${doubled} doubled`;
      return { figures: { ...figures, lost, doubled }, ...(lost + doubled > 0 && { failure }) };
    },
  },
  {
    name: "timers",
    summary:
      "let many timers be due within some time, beside timers of an idle process: each fires once, how late?",
    flags: [
      {
        name: "count",
        type: "whole",
        least: 1,
        most: timersBenchMax,
        description: "timers",
        default: 10_000,
      },
      sessionsFlag("sessions that set them", 100),
      secondsFlag("from the time of the first one to that of the last", 60),
    ],
    run: async ({ values, say }) => {
      const sizes = {
        count: whole(values, "count"),
        sessions: whole(values, "sessions"),
        seconds: whole(values, "seconds"),
      };
      if (sizes.count > sizes.sessions * sessionTimersMax)
        throw new CliError(
          `--count ${sizes.count} is more than ${sessionTimersMax} timers of each of ${sizes.sessions} sessions: give more --sessions`,
          exitCodes.usage,
        );
      await using mesh = await ownMesh({ nodes: 2, config: programs().timersConfig });
      const figures = { ...(await timers(mesh, sizes, say)) };
      const { fired, doubled } = figures;
      const isWrong = fired !== sizes.count || doubled > 0;
      return { figures, ...(isWrong && { failure: `${fired} timers fired, ${doubled} more than once` }) };
    },
  },
  {
    name: "topics",
    summary: "publish to many subscribers of one topic, beside turns that a client has them take: each once",
    flags: [
      counted("subscribers", subscribersMax)("sessions that hear the topic", 10_000),
      counted("messages", messagesMax)("messages, one after the other", 5),
    ],
    run: async ({ values, say }) => {
      await using mesh = await ownMesh({ nodes: 2, config: programs().topicsConfig });
      const sizes = { subscribers: whole(values, "subscribers"), messages: whole(values, "messages") };
      const figures = { ...(await topics(mesh, sizes, say)) };
      const { applied, doubled } = figures;
      const isWrong = applied !== sizes.subscribers * sizes.messages || doubled > 0;
      return {
        figures,
        ...(isWrong && { failure: `${applied} messages were taken, ${doubled} more than once` }),
      };
    },
  },
  {
    name: "kill",
    summary:
      "kill parts of a mesh under calls, messages, timers and steps outside: none may be lost or doubled",
    flags: [
      {
        name: "target",
        type: "text",
        description: `what is killed with SIGKILL: ${killTargets.join(", ")} (a thread), or random: any of them`,
        default: "random",
      },
      secondsFlag("how long", 60),
      clientsFlag("clients, each with one call at a time", 64),
      sessionsFlag("sessions", 1000),
      killEveryFlag(3000),
      seedFlag,
    ],
    run: async ({ values, say }) => {
      const target = text(values, "target");
      const sizes = {
        targets: targetsOf(target),
        seconds: whole(values, "seconds"),
        clients: whole(values, "clients"),
        sessions: whole(values, "sessions"),
        killEveryMs: whole(values, "kill-every-ms"),
        seed: whole(values, "seed"),
      };
      const { seconds, clients, sessions, killEveryMs, seed } = sizes;
      const again = `--seconds ${seconds} --clients ${clients} --sessions ${sessions} --kill-every-ms ${killEveryMs}`;
      say(`again: npx voda bench kill --target ${target} --seed ${seed} ${again}`);
      // What one node leaves behind, the other must take up.
      await using mesh = await ownMesh({ nodes: 2, config: programs().killConfig });
      const result = await kill(mesh, sizes, say);
      const failure = killFailure(result);
      return { figures: { target, ...result.figures }, ...(failure !== undefined && { failure }) };
    },
  },
  {
    name: "wake",
    summary:
      "put sessions of `editor` to sleep and wake them through Envoy; asleep they must leave the nodes' heaps",
    flags: [
      sessionsFlag("sessions", 2000),
      {
        name: "characters",
        type: "whole",
        most: charactersMax,
        description: "length of each session's text",
        default: 1024,
      },
      ...ownMeshFlags,
    ],
    run: async ({ values, say }) => {
      await using mesh = await ownMesh(own(values));
      const sizes = { sessions: whole(values, "sessions"), characters: whole(values, "characters") };
      const figures = { ...(await wake(mesh, sizes, say)) };
      const failure = wakeFailure(figures);
      return { figures, ...(failure !== undefined && { failure }) };
    },
  },
  {
    name: "ready",
    summary: "start meshes with empty folders, one after the other: how long until each serves",
    flags: [runsFlag("starts", 5), ...ownMeshFlags],
    run: async ({ values }) => {
      return { figures: { ...(await ready(whole(values, "runs"), own(values))) } };
    },
  },
  {
    name: "ps",
    summary: "run `voda ps` on a mesh in turns with a Node that does nothing",
    flags: [runsFlag("runs of each", 20), ...ownMeshFlags],
    run: async ({ values }) => {
      return { figures: { ...(await ps(whole(values, "runs"), own(values))) } };
    },
  },
  {
    name: "size",
    summary: "pack voda and add up what an installation of it takes, in its own repository",
    flags: [],
    run: async () => {
      return { figures: { ...size() } };
    },
  },
];

/** Asleep to before. */
const heapRatioMax = 1.1;

/** A text that differs is worse than memory that stays: it is said first. */
function wakeFailure({ wrong, heapRatio }: WakeResult): string | undefined {
  if (wrong > 0) return `${wrong} sessions woke with another text`;
  return heapRatio > heapRatioMax
    ? `heapRatio ${heapRatio} exceeds ${heapRatioMax}: sleepers stay in memory`
    : undefined;
}

/** Flags of a mesh that the bench starts and stops itself, so that nothing else runs in it. */
const own = (values: MeshRun["values"]): OwnMeshOptions => ({
  nodes: whole(values, "nodes"),
  config: resolve(text(values, "config")),
});

/** With `--url` somebody else's mesh, which may be called but never killed. */
async function open({ values, url }: MeshRun): Promise<BenchMesh> {
  if (url === undefined) return ownMesh(own(values));
  // Its pids are those of another machine, or somebody else's.
  if (text(values, "kill") !== "nothing")
    throw new CliError("--kill needs a mesh of the bench's own: leave --url out", exitCodes.usage);
  return foreignMesh(url);
}

/** @throws CliError for what cannot be killed */
function targetsOf(target: string): readonly KillTarget[] {
  if (target === "random") return killTargets;
  const found = killTargets.find((one) => one === target);
  if (found === undefined) {
    throw new CliError(`--target ${target} is none of ${killTargets.join(", ")}, random`, exitCodes.usage);
  }
  return [found];
}

/** A bench that kills must say which seed it killed by: the same seed picks the same victims. */
function killing({ values }: MeshRun): KillOptions {
  const target = text(values, "kill");
  if (target !== "node" && target !== "nothing")
    throw new CliError(`--kill ${target} is neither node nor nothing`, exitCodes.usage);
  return {
    targets: target === "node" ? [target] : [],
    killEveryMs: whole(values, "kill-every-ms"),
    seed: whole(values, "seed"),
  };
}

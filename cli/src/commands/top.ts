// `voda top`: nodes and their GPUs, what is taken of them, and what the placement has counted.
import { setTimeout as delay } from "node:timers/promises";
import { toJson } from "@bufbuild/protobuf";
import {
  type GetPlacementCountersResponse,
  GetPlacementCountersResponseSchema,
  type Node,
  NodeSchema,
} from "@voda/proto/api";
import type { Command } from "commander";
import { type Api, connectApi } from "../api.ts";
import { type ClientFlags, jsonOption, urlOption } from "../options.ts";
import { forTerminal, type Output, type Print, table } from "../print.ts";
import { stopRequest } from "../up/stop-request.ts";

interface TopFlags extends ClientFlags {
  readonly once?: true;
}

interface Seen {
  readonly nodes: readonly Node[];
  readonly counters: GetPlacementCountersResponse;
}

/** As often as nodes send a heartbeat. */
const refreshMs = 1_000;
/** Clears the terminal and puts the cursor at its start. */
const clear = "\u001b[2J\u001b[H";

/** `voda top`: drawn again and again in a terminal, once where the output goes elsewhere. */
export function addTop(program: Command, { out: print, exact }: Output): void {
  program
    .command("top")
    .description("show nodes and GPUs until Ctrl-C")
    .option("--once", "show them once")
    .addOption(urlOption())
    .addOption(jsonOption())
    .action(async (flags: TopFlags) => {
      const api = connectApi(flags.url);
      if (flags.json === true) print(JSON.stringify(asJson(await readCluster(api))));
      else if (flags.once === true) print(screen(await readCluster(api)));
      else await follow(api, exact);
    });
}

/** Asked at once: what is drawn is of one moment, as far as two answers can be. */
async function readCluster(api: Api): Promise<Seen> {
  const [{ nodes }, counters] = await Promise.all([
    api.nodes.listNodes({}),
    api.placement.getPlacementCounters({}),
  ]);
  return { nodes, counters };
}

/** Ctrl-C ends it with 0: that is how it is meant to end. */
async function follow(api: Api, print: Print): Promise<void> {
  using stop = stopRequest();
  const over = new AbortController();
  void stop.asked.then(() => over.abort());
  const start = process.stdout.isTTY ? clear : ""; // a pipe or a file has nothing to clear
  do print(`${start}${forTerminal(fitted(await readCluster(api), process.stdout))}`);
  while (await pause(over.signal));
}

/** False when the wait was ended. */
async function pause(signal: AbortSignal): Promise<boolean> {
  try {
    await delay(refreshMs, undefined, { signal });
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

/** With fields that are 0, which protobuf leaves out. */
function asJson({ nodes, counters }: Seen) {
  const placement = toJson(GetPlacementCountersResponseSchema, counters, { alwaysEmitImplicit: true });
  return { nodes: nodes.map((node) => toJson(NodeSchema, node, { alwaysEmitImplicit: true })), placement };
}

/** The counters first: a small window cuts the end. */
export function screen({ nodes, counters }: Seen, uuidCharsMax = Number.POSITIVE_INFINITY): string {
  // Devices only where there are any: an empty table would say that something is missing.
  const parts = [countersLine(counters), nodes.length === 0 ? "no nodes" : nodesTable(nodes)];
  if (nodes.some(({ devices }) => devices.length > 0)) parts.push(devicesTable(nodes, uuidCharsMax));
  return [...parts, ...shadowTable(counters)].join("\n\n");
}

interface Terminal {
  /** Absent where the output is no terminal: then nothing is cut. */
  readonly columns?: number;
  readonly rows?: number;
}

/** `GPU-` and the first group of the id: two GPUs of one machine differ there. */
const uuidCharsMin = 13;

/** As much as the window shows: ids of GPUs are cut to its width, and the end to its height. */
export function fitted(
  seen: Seen,
  { columns = Number.POSITIVE_INFINITY, rows = Number.POSITIVE_INFINITY }: Terminal,
): string {
  const whole = screen(seen).split("\n");
  // Ids are cut first: a part of one is enough to tell it.
  const excess = Math.max(...whole.map((line) => line.length)) - columns;
  const longest = Math.max(0, ...seen.nodes.flatMap(({ devices }) => devices.map(({ uuid }) => uuid.length)));
  const lines = excess > 0 ? screen(seen, Math.max(uuidCharsMin, longest - excess)).split("\n") : whole;
  const cut = lines.map((line) => (line.length > columns ? `${line.slice(0, columns - 1)}…` : line));
  if (cut.length < rows) return cut.join("\n");
  // Room for the line below and the cursor, or the terminal would scroll.
  const shown = cut.slice(0, Math.max(1, rows - 2));
  return [...shown, `and ${cut.length - shown.length} lines more: voda top --once`].join("\n");
}

function nodesTable(nodes: readonly Node[]): string {
  return table(
    ["NODE", "ZONE", "READY", "SESSIONS", "CPU", "MEMORY", "GPU"],
    nodes.map(({ id, zone, ready, sessions, capacity, allocated }) => [
      id,
      zone === "" ? "-" : zone,
      ready ? "yes" : "no",
      String(sessions),
      share(allocated?.cpuMilli, capacity?.cpuMilli, 1000),
      `${share(allocated?.memoryMib, capacity?.memoryMib, 1)} MiB`,
      share(allocated?.gpuMilli, capacity?.gpuMilli, 1000),
    ]),
  );
}

function devicesTable(nodes: readonly Node[], uuidCharsMax: number): string {
  return table(
    ["GPU", "NODE", "MODEL", "SESSIONS", "TIME", "MEMORY"],
    nodes.flatMap(({ id, devices }) =>
      devices.map(({ uuid, model, sessions, allocatedMilli, allocatedMemoryMib, memoryMib }) => [
        uuid.length > uuidCharsMax ? `${uuid.slice(0, uuidCharsMax - 1)}…` : uuid,
        id,
        model,
        String(sessions),
        `${allocatedMilli / 10} %`,
        `${share(allocatedMemoryMib, memoryMib, 1)} MiB`,
      ]),
    ),
  );
}

/** What the placement lost against each other policy; below 0 it saved them. */
function shadowTable({ shadow }: GetPlacementCountersResponse): string[] {
  const compared = Object.entries(shadow).filter(([, { decisions }]) => decisions > 0n);
  if (compared.length === 0) return [];
  const rows = compared.map(([policy, { decisions, sameNode, lostMilli }]) => [
    policy,
    String(decisions),
    String(sameNode),
    (lostMilli / 1000).toFixed(2),
  ]);
  return [table(["AGAINST POLICY", "COMPARED", "SAME NODE", "LOST GPUs"], rows)];
}

/**
 * Refusals by their reason, since each is mended in another way; of what was never refused nothing is said.
 */
function countersLine({
  decisions,
  refusals,
  strandedGpuMilli,
  sleptForRoom,
}: GetPlacementCountersResponse): string {
  const refused = Object.entries(refusals).map(([reason, count]) => `${reason}: ${count}`);
  return `decisions ${decisions}, refused ${refused.length === 0 ? "none" : refused.join(", ")}, stranded GPUs ${strandedGpuMilli / 1000}, put to sleep for others ${sleptForRoom}`;
}

function share(used: number | undefined, all: number | undefined, unit: number): string {
  return `${(used ?? 0) / unit} of ${(all ?? 0) / unit}`;
}

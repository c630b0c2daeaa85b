// `voda top`: nodes and their GPUs, what is taken of them, and what the placement has counted.
import { setTimeout as delay } from "node:timers/promises";
import { toJson } from "@bufbuild/protobuf";
import { type GetPlacementCountersResponse, GetPlacementCountersResponseSchema, type Node, NodeSchema } from "@voda/proto/api";
import type { Command } from "commander";
import { type Api, connectApi } from "../api.ts";
import { type ClientFlags, jsonOption, urlOption } from "../options.ts";
import { type Print, table } from "../print.ts";
import { stopRequest } from "../up/stop-request.ts";

interface TopFlags extends ClientFlags {
  readonly once?: true;
}

interface Seen {
  readonly nodes: readonly Node[];
  readonly counters: GetPlacementCountersResponse;
}

const refreshMs = 1_000;
/** Clears the terminal and puts the cursor at its start. */
const clear = "\u001b[2J\u001b[H";

export function addTop(program: Command, print: Print): void {
  program
    .command("top")
    .description("show nodes and GPUs until Ctrl-C")
    .option("--once", "show them once")
    .addOption(urlOption())
    .addOption(jsonOption())
    .action(async (flags: TopFlags) => {
      const api = connectApi(flags.url);
      if (flags.json === true) print(JSON.stringify(asJson(await look(api))));
      else if (flags.once === true) print(screen(await look(api)));
      else await follow(api, print);
    });
}

async function look(api: Api): Promise<Seen> {
  const [{ nodes }, counters] = await Promise.all([api.nodes.listNodes({}), api.placement.getPlacementCounters({})]);
  return { nodes, counters };
}

async function follow(api: Api, print: Print): Promise<void> {
  using stop = stopRequest();
  const over = new AbortController();
  void stop.asked.then(() => over.abort());
  do print(`${clear}${screen(await look(api))}`);
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

function asJson({ nodes, counters }: Seen) {
  const placement = toJson(GetPlacementCountersResponseSchema, counters, { alwaysEmitImplicit: true });
  return { nodes: nodes.map((node) => toJson(NodeSchema, node, { alwaysEmitImplicit: true })), placement };
}

export function screen({ nodes, counters }: Seen): string {
  const parts = [nodes.length === 0 ? "no nodes" : nodesTable(nodes)];
  if (nodes.some(({ devices }) => devices.length > 0)) parts.push(devicesTable(nodes));
  parts.push(countersLine(counters));
  return parts.join("\n\n");
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

function devicesTable(nodes: readonly Node[]): string {
  return table(
    ["GPU", "NODE", "MODEL", "SESSIONS", "TIME", "MEMORY"],
    nodes.flatMap(({ id, devices }) =>
      devices.map(({ uuid, model, sessions, allocatedMilli, allocatedMemoryMib, memoryMib }) => [
        uuid,
        id,
        model,
        String(sessions),
        `${allocatedMilli / 10} %`,
        `${share(allocatedMemoryMib, memoryMib, 1)} MiB`,
      ]),
    ),
  );
}

function countersLine({ decisions, refusals, strandedGpuMilli }: GetPlacementCountersResponse): string {
  const refused = Object.entries(refusals).map(([reason, count]) => `${reason}: ${count}`);
  return `decisions ${decisions}, refused ${refused.length === 0 ? "none" : refused.join(", ")}, stranded GPUs ${strandedGpuMilli / 1000}`;
}

function share(used: number | undefined, all: number | undefined, unit: number): string {
  return `${(used ?? 0) / unit} of ${(all ?? 0) / unit}`;
}

// The node's flags.
import { availableParallelism, totalmem } from "node:os";
import { resolve } from "node:path";
import { address, list, natsUrl, oneOf, path, port, readFlags } from "@voda/net";
import { hostProblem, originProblem } from "@voda/proto/border";
import {
  isLabel,
  labelCharactersMax,
  nodeCpuMilliMax,
  nodeDiskMibMax,
  nodeMemoryMibMax,
} from "@voda/proto/placement";
import * as v from "valibot";

const amount = (name: string, max: number) =>
  v.pipe(
    v.string(),
    v.regex(/^[1-9]\d*$/, "is not a positive whole number"),
    v.transform(Number),
    v.maxValue(max, `is over ${name} ${max}`),
  );
const disk = v.pipe(
  v.string(),
  v.regex(/^\d{1,10}$/, "is not a whole number"),
  v.transform(Number),
  v.maxValue(nodeDiskMibMax, `is over nodeDiskMibMax ${nodeDiskMibMax}`),
);
const zone = v.pipe(
  v.string(),
  v.check(
    isLabel,
    `is not 1 to ${labelCharactersMax} letters, digits, -, _ and ., first and last a letter or digit`,
  ),
);
const part = v.pipe(
  v.string(),
  v.regex(/^\d{1,4}\/[1-9]\d{0,3}$/, "is not INDEX/COUNT, as in 0/2"),
  v.transform((text) => {
    const [index = 0, count = 1] = text.split("/").map(Number);
    return { index, count };
  }),
  v.check(({ index, count }) => index < count, "has no such part: they count from 0"),
);
const absolute = v.pipe(
  path,
  v.transform((text) => resolve(text)),
);
const mib = 1024 * 1024;

const flags = {
  nats: natsUrl,
  /** File with `user:password`; without it the server asks for none. */
  natsLogin: v.optional(path),
  nodeId: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "is not 1 to 63 of a-z, 0-9 and -")),
  dataDir: absolute,
  host: v.optional(address, "127.0.0.1"),
  ingressPort: v.optional(port, "0"),
  /** Names by which clients call this node without Envoy, beside addresses and those of the loopback. */
  allowHost: v.optional(list(hostProblem), ""),
  /** Origins whose pages may call this node without Envoy, beside those of its own hosts. */
  allowOrigin: v.optional(list(originProblem), ""),
  /**
   * File with the number of bytes that nats-server may store, rewritten when it changes; without it the
   * limit of the account counts, if it has one. Near the limit only leases are written, so that reads go
   * on.
   */
  storeLimitFile: v.optional(absolute),
  durability: v.optional(oneOf(["process", "replicated", "disk"]), "process"),
  cpuMilli: v.optional(amount("nodeCpuMilliMax", nodeCpuMilliMax), String(availableParallelism() * 1000)),
  memoryMib: v.optional(amount("nodeMemoryMibMax", nodeMemoryMibMax), String(Math.floor(totalmem() / mib))),
  /** Without it, what is free below the data directory when the node starts. */
  diskMib: v.optional(disk),
  /** Nodes that name none are in one zone. */
  zone: v.optional(zone),
  /** Declares the GPUs; without it the vendors' tools are asked. */
  gpus: v.optional(absolute),
  /**
   * Which of the machine's GPUs are this node's: `0/2` is the first of two nodes, which has every second one.
   */
  gpuPart: v.optional(part, "0/1"),
  logLevel: v.optional(oneOf(["debug", "info", "warn", "error"]), "info"),
};

/** The flags of one node, checked and frozen: see `flags` for ranges and defaults. */
export type Config = ReturnType<typeof readConfig>;

/** @throws FlagError */
export const readConfig = (args: readonly string[]) => readFlags(flags, args);

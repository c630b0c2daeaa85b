// The node's flags, parsed once; an unknown one is an error.
import { availableParallelism, totalmem } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { hostProblem, listed, listProblem, originProblem } from "@voda/proto/border";
import { isLabel, labelCharactersMax, nodeDiskMibMax } from "@voda/proto/placement";
import * as v from "valibot";

const port = v.pipe(
  v.string(),
  v.regex(/^\d+$/, "a port is a number"),
  v.transform(Number),
  v.maxValue(65_535),
);
const amount = v.pipe(
  v.string(),
  v.regex(/^[1-9]\d*$/, "an amount is a positive whole number"),
  v.transform(Number),
);
const disk = v.pipe(
  v.string(),
  v.regex(/^\d{1,10}$/, "an amount of disk is a whole number"),
  v.transform(Number),
  v.maxValue(nodeDiskMibMax, `an amount of disk is at most ${nodeDiskMibMax} MiB`),
);
const zone = v.pipe(
  v.string(),
  v.check(
    isLabel,
    `a zone has 1 to ${labelCharactersMax} letters, digits, -, _ and ., first and last a letter or digit`,
  ),
);
const part = v.pipe(
  v.string(),
  v.regex(/^\d{1,4}\/[1-9]\d{0,3}$/, "a part is INDEX/COUNT, as in 0/2"),
  v.transform((text) => {
    const [index = 0, count = 1] = text.split("/").map(Number);
    return { index, count };
  }),
  v.check(({ index, count }) => index < count, "the index of a part counts from 0 and is below the count"),
);
/** `a,b`; nothing is no value. */
const list = (problem: (one: string) => string | undefined) =>
  v.pipe(
    v.string(),
    v.check(
      (text) => listProblem(text, problem) === undefined,
      ({ input }) => listProblem(input, problem) ?? "",
    ),
    v.transform(listed),
  );
const mib = 1024 * 1024;

const FlagsSchema = v.strictObject({
  nats: v.pipe(
    v.string(),
    v.url("it is not nats://host:port"),
    v.check((url) => !/@/.test(url), "a login goes into a file that --nats-login names"),
  ),
  /** File with `user:password`; without it the server asks for none. */
  "nats-login": v.optional(v.string()),
  "node-id": v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "an id has 1 to 63 of a-z, 0-9 and -")),
  "data-dir": v.pipe(
    v.string(),
    v.transform((path) => resolve(path)),
  ),
  host: v.optional(v.pipe(v.string(), v.ip()), "127.0.0.1"),
  "ingress-port": v.optional(port, "0"),
  /**
   * Names by which clients call this node without Envoy, beside addresses and those of the loopback:
   * `a.example,b.example`.
   */
  "allow-host": v.optional(list(hostProblem), ""),
  /**
   * Origins whose pages may call this node without Envoy, beside those of its own hosts:
   * `https://a.example,https://b.example`.
   */
  "allow-origin": v.optional(list(originProblem), ""),
  /**
   * File with the number of bytes that nats-server may store, rewritten when it changes; without it the
   * limit of the account counts, if it has one. Near the limit only leases are written, so that reads go
   * on.
   */
  "store-limit-file": v.optional(
    v.pipe(
      v.string(),
      v.transform((path) => resolve(path)),
    ),
  ),
  durability: v.optional(v.picklist(["process", "replicated", "disk"]), "process"),
  "cpu-milli": v.optional(amount, String(availableParallelism() * 1000)),
  "memory-mib": v.optional(amount, String(Math.floor(totalmem() / mib))),
  /** Without it, what is free below the data directory when the node starts. */
  "disk-mib": v.optional(disk),
  /** Nodes that name none are in one zone. */
  zone: v.optional(zone),
  /** Declares the GPUs; without it the vendors' tools are asked. */
  gpus: v.optional(
    v.pipe(
      v.string(),
      v.transform((path) => resolve(path)),
    ),
  ),
  /**
   * Which of the machine's GPUs are this node's: `0/2` is the first of two nodes, which has every second one.
   */
  "gpu-part": v.optional(part, "0/1"),
  "log-level": v.optional(v.picklist(["debug", "info", "warn", "error"]), "info"),
});

/** See `FlagsSchema` for ranges and defaults. */
export type NodeConfig = Readonly<v.InferOutput<typeof FlagsSchema>>;

/** @throws Error that names the flag, its value and what it may be */
export function parseConfig(args: readonly string[]): NodeConfig {
  const names = Object.keys(FlagsSchema.entries);
  const options = Object.fromEntries(names.map((name) => [name, { type: "string" } as const]));
  const { values } = parseArgs({ args: [...args], options, strict: true, allowPositionals: false });
  const parsed = v.safeParse(FlagsSchema, values);
  if (parsed.success) return Object.freeze(parsed.output);
  const [issue] = parsed.issues;
  const flag = v.getDotPath(issue) ?? "";
  throw new Error(`--${flag}: ${issue.message}`);
}

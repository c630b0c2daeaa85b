// `voda node`: the data plane as a program. Prints one line of JSON when it serves; logs go to stderr.
import pino from "pino";
import { parseConfig } from "./config.ts";
import { openNode } from "./node.ts";

const [config, problem] = read();
if (config === undefined) {
  process.stderr.write(`voda node: ${problem}\n`);
  process.exit(2);
}
const log = pino({ level: config["log-level"], base: { node: config["node-id"] } }, pino.destination(2));
const node = await openNode(config, log);
process.stdout.write(
  `${JSON.stringify({ ready: true, node: config["node-id"], ingress: node.ingress, incarnation: node.incarnation })}\n`,
);

const stop = async (why: string): Promise<void> => {
  log.info({ why }, "stopping");
  await node[Symbol.asyncDispose]();
  process.exit(0);
};
let stopping: Promise<void> | undefined;
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => (stopping ??= stop(signal)));
if (config.supervised) {
  // The supervisor holds the other end: when it dies, so does the node.
  process.stdin.on("end", () => (stopping ??= stop("the supervisor is gone"))).resume();
}

function read(): [ReturnType<typeof parseConfig>, ""] | [undefined, string] {
  try {
    return [parseConfig(process.argv.slice(2)), ""];
  } catch (error) {
    return [undefined, error instanceof Error ? error.message : String(error)];
  }
}

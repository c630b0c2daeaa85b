// `voda node`: the data plane as a program. Prints one line of JSON when it serves; logs go to stderr.
import pino from "pino";
import { type NodeConfig, parseConfig } from "./config.ts";
import { DevicesError } from "./controls/index.ts";
import { type Node, openNode } from "./node.ts";

const [config, problem] = read();
if (config === undefined) {
  process.stderr.write(`voda node: ${problem}\n`);
  process.exit(2);
}
const log = pino({ level: config["log-level"], base: { node: config["node-id"] } }, pino.destination(2));
const node = await open(config);
process.stdout.write(
  `${JSON.stringify({ ready: true, node: config["node-id"], ingress: node.ingress, incarnation: node.incarnation })}\n`,
);

let isStopping = false;
const stop = (why: string): void => {
  if (isStopping) return;
  isStopping = true;
  log.info({ why }, "stopping");
  node[Symbol.asyncDispose]().then(
    () => process.exit(0),
    (err: unknown) => {
      log.fatal({ err }, "not stopped cleanly");
      process.exit(1);
    },
  );
};
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop(signal));
if (config.supervised) {
  // The supervisor holds the other end: when it dies, so does the node.
  process.stdin.on("end", () => stop("the supervisor is gone")).resume();
}

/** A wrong file of devices is a wrong flag. */
async function open(flags: NodeConfig): Promise<Node> {
  try {
    return await openNode(flags, log);
  } catch (error) {
    if (!(error instanceof DevicesError)) throw error;
    process.stderr.write(`voda node: --gpus: ${error.message}\n`);
    return process.exit(2);
  }
}

function read(): [ReturnType<typeof parseConfig>, ""] | [undefined, string] {
  try {
    return [parseConfig(process.argv.slice(2)), ""];
  } catch (error) {
    return [undefined, error instanceof Error ? error.message : String(error)];
  }
}

// `voda node`: the data plane as a program. Tells its parent over IPC when it serves, if the parent opened
// such a channel; logs go to standard error. Standard output belongs to the agents.
import { withWords, wordsOf } from "@voda/stdx";
import pino from "pino";
import { type NodeConfig, parseConfig } from "./config.ts";
import { DevicesError } from "./controls/index.ts";
import { type Node, openNode } from "./node.ts";

const [config, problem] = read();
if (config === undefined) {
  process.stderr.write(`voda node: ${problem}\n`);
  process.exit(2);
}
const log = pino(
  {
    level: config["log-level"],
    base: { node: config["node-id"] },
    serializers: { err: withWords(pino.stdSerializers.err) },
  },
  pino.destination(2),
);
const node = await open(config);
const served = { node: config["node-id"], ingress: node.ingress, incarnation: node.incarnation };
log.info(served, "ready");
process.send?.({ ready: true, ...served }, () => process.disconnect?.());

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
    return [undefined, wordsOf(error)];
  }
}

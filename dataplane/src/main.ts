// `voda node`: the data plane as a program. Tells its parent over IPC when it serves, if the parent opened
// such a channel; logs go to standard error. Standard output belongs to the agents.
import { FlagError } from "@voda/net";
import { withWords, wordsOf } from "@voda/stdx";
import pino from "pino";
import { type Config, readConfig } from "./config.ts";
import { DevicesError } from "./controls/index.ts";
import { type Node, openNode } from "./node.ts";

const config = read();
const log = pino(
  {
    level: config.logLevel,
    base: { node: config.nodeId },
    serializers: { err: withWords(pino.stdSerializers.err) },
  },
  pino.destination(2),
);
const node = await open(config);
const served = { node: config.nodeId, ingress: node.ingress, incarnation: node.incarnation };
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
async function open(flags: Config): Promise<Node> {
  try {
    return await openNode(flags, log);
  } catch (error) {
    if (error instanceof DevicesError) return misused(`--gpus: ${error.message}`);
    log.fatal({ err: error }, wordsOf(error));
    return process.exit(1);
  }
}

function read(): Config {
  try {
    return readConfig(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    return misused(error.message);
  }
}

function misused(problem: string): never {
  process.stderr.write(`voda node: ${problem}\n`);
  process.exit(2);
}

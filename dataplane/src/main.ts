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

function read(): [ReturnType<typeof parseConfig>, ""] | [undefined, string] {
  try {
    return [parseConfig(process.argv.slice(2)), ""];
  } catch (error) {
    return [undefined, error instanceof Error ? error.message : String(error)];
  }
}

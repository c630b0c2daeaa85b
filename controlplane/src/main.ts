// The program `voda controlplane`: flags in, a message to its parent over IPC when it serves, logs on
// standard error.
import { FlagError } from "@voda/net";
import { withWords, wordsOf } from "@voda/stdx";
import { destination, pino, stdSerializers } from "pino";
import { readConfig } from "./config.ts";
import { type ControlPlane, openControlPlane } from "./control-plane.ts";

const serializers = { err: withWords(stdSerializers.err) };
const log = pino({ name: "controlplane", serializers }, destination({ dest: 2, sync: true }));
const exitUsage = 2;

try {
  const controlPlane = await openControlPlane(readConfig(process.argv.slice(2)), log);
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void stop(controlPlane));
  const { api, picker, xds } = controlPlane;
  log.info({ api, picker, xds }, "ready");
  process.send?.({ ready: true, api, picker, xds }, () => process.disconnect?.());
} catch (error) {
  if (error instanceof FlagError) {
    process.stderr.write(`voda controlplane: ${error.message}\n`);
    process.exit(exitUsage);
  }
  log.fatal({ err: error }, wordsOf(error));
  process.exit(1);
}

async function stop(controlPlane: ControlPlane): Promise<void> {
  try {
    await controlPlane[Symbol.asyncDispose]();
    process.exit(0);
  } catch (error) {
    log.fatal({ err: error }, "the control plane did not close cleanly");
    process.exit(1);
  }
}

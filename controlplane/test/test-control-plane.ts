// A control plane in the test's own process, on an edge folder of its own.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRelay } from "@voda/test/kit";
import { pino } from "pino";
import { readConfig } from "../src/config.ts";
import { openControlPlane } from "../src/control-plane.ts";

export interface TestControlPlane extends AsyncDisposable {
  /** `ip:port` that leads to the API. */
  readonly api: string;
  /** `ip:port` that leads to the picker. */
  readonly picker: string;
}

export const edgeDir = (): string => mkdtempSync(join(tmpdir(), "voda-cp-"));

export async function openTestControlPlane(natsUrl: string): Promise<TestControlPlane> {
  await using stack = new AsyncDisposableStack();
  const folder = edgeDir();
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const config = readConfig(["--nats", natsUrl, "--edge-dir", folder]);
  const controlPlane = stack.use(await openControlPlane(config, pino({ level: "silent" })));
  const api = stack.use(await openRelay(controlPlane.api));
  const picker = stack.use(await openRelay(controlPlane.picker));
  const owned = stack.move();
  return {
    api: api.address,
    picker: picker.address,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

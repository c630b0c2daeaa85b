// Which config the mesh of a data directory runs: places in its logs are relative to the folder of that one,
// also when they are read after the mesh.
import { dirname, join } from "node:path";
import * as v from "valibot";
import { writeFirst } from "./first-write.ts";
import { readJsonFile } from "./json-file.ts";

const configFile = (dataDir: string): string => join(dataDir, "config.json");

const Kept = v.object({ config: v.string() });

/** `config`: its whole path. @throws CliError */
export function keepConfig(dataDir: string, config: string): void {
  writeFirst(configFile(dataDir), JSON.stringify({ config }));
}

/** The folder of the config that the mesh runs, or ran last; `undefined` when none was kept. */
export function configFolder(dataDir: string): string | undefined {
  const kept = readJsonFile(configFile(dataDir), Kept);
  return kept && dirname(kept.config);
}

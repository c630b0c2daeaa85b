// The flags of `voda up` and `voda dev`: their own, and those that they pass on to the programs that they
// start.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { hostProblem, listProblem, originProblem } from "@voda/proto/border";
import { readDevices } from "@voda/proto/devices";
import { isLabel, labelCharactersMax, policyNames } from "@voda/proto/placement";
import { oneLine, wordsOf } from "@voda/stdx";
import { type Command, InvalidArgumentError, Option } from "commander";
import { defaultUrl } from "../api.ts";
import { configName } from "../bundle/bundle.ts";
import { defaultDataDir, jsonOption, parseWhole, portMax } from "../options.ts";
import { type MeshSettings, nodesMax, type PassedOnFlags, type ProgramFlags } from "../up/mesh.ts";

/** What `up` and `dev` themselves look at; the rest is passed on to the programs. */
export interface MeshFlags extends MeshSettings {
  readonly config: string;
  readonly readyFile?: string;
  readonly json?: true;
}

/**
 * A flag that the supervisor does not look at; its values are strings once they are parsed, or a list of
 * them.
 */
interface PassedOn {
  readonly option: Option;
  readonly controlplane?: (value: string) => ProgramFlags;
  readonly node?: (value: string | readonly string[], index: number) => ProgramFlags;
}

const defaultPort = Number(new URL(defaultUrl).port);

const passedOn: readonly PassedOn[] = [
  {
    option: new Option(
      "--gpus <file>",
      "declares the machine's GPUs as JSON; default: what nvidia-smi and amd-smi tell",
    ).argParser(parseGpus),
    node: (file) => ({ gpus: String(file) }),
  },
  {
    option: new Option(
      "--zones <names>",
      "zones that the nodes are in, in turn, as in a,b; default: none is named",
    ).argParser(parseZones),
    node: (zones, index) => ({ zone: zones[index % zones.length] ?? "" }),
  },
  {
    option: new Option(
      "--placement-policy <name>",
      `what ranks the nodes that fit (default: ${policyNames[0]})`,
    ).choices(policyNames),
    controlplane: (name) => ({ "placement-policy": name }),
  },
  // Envoy and the nodes' own ports hold the same border.
  {
    option: new Option(
      "--allow-host <names>",
      "names by which clients call, as in mesh.example; default: addresses and localhost",
    ).argParser(parseEach(hostProblem)),
    controlplane: (names) => ({ "allow-host": names }),
    node: (names) => ({ "allow-host": String(names) }),
  },
  {
    option: new Option(
      "--allow-origin <origins>",
      "pages that may call, as in https://app.example; default: pages of this machine",
    ).argParser(parseEach(originProblem)),
    controlplane: (origins) => ({ "allow-origin": origins }),
    node: (origins) => ({ "allow-origin": String(origins) }),
  },
];

/** @param nodes how many there are unless `--nodes` says otherwise */
export function withMeshFlags(command: Command, nodes: number): Command {
  command
    .addOption(new Option("--config <file>", "the agents to run").default(configName))
    .addOption(new Option("--data-dir <folder>", "where state and logs are kept").default(defaultDataDir))
    .addOption(new Option("--nodes <n>", "node processes").default(nodes).argParser(parseWhole(1, nodesMax)))
    .addOption(
      new Option("--ingress-port <port>", "port of the URL that clients use; 0 = any free port")
        .default(defaultPort)
        .argParser(parseWhole(0, portMax)),
    )
    .addOption(
      new Option("--durability <mode>", "process: an answer survives a killed process; disk: a power loss")
        .choices(["process", "disk"])
        .default("process"),
    );
  for (const { option } of passedOn) command.addOption(option);
  return command
    .addOption(
      new Option("--ready-file <file>", "written when the mesh serves, and after each restart of a part"),
    )
    .addOption(jsonOption());
}

/** Flags that the supervisor does not look at, by the program that gets them. */
export function programFlags(flags: object): PassedOnFlags {
  const values = new Map(Object.entries(flags) as [string, string | readonly string[]][]);
  const given = passedOn.flatMap((flag) => {
    const value = values.get(flag.option.attributeName());
    return value === undefined ? [] : [{ flag, value }];
  });
  const merged = (parts: readonly (ProgramFlags | undefined)[]): ProgramFlags => Object.assign({}, ...parts);
  return {
    controlplane: merged(given.map(({ flag, value }) => flag.controlplane?.(String(value)))),
    node: (index) => merged(given.map(({ flag, value }) => flag.node?.(value, index))),
  };
}

function parseZones(text: string): string[] {
  const zones = text.split(",");
  if (!zones.every(isLabel))
    throw new InvalidArgumentError(
      `write names with commas between: each has 1 to ${labelCharactersMax} letters, digits, -, _ and .`,
    );
  return zones;
}

/** As typed: the programs that get it split it again. */
function parseEach(problem: (one: string) => string | undefined): (text: string) => string {
  return (text) => {
    const wrong = listProblem(text, problem);
    if (wrong !== undefined) throw new InvalidArgumentError(wrong);
    return text;
  };
}

/** The file's path: the nodes read it again. */
function parseGpus(text: string): string {
  const file = resolve(text);
  try {
    readDevices(readFileSync(file, "utf8"));
  } catch (error) {
    throw new InvalidArgumentError(oneLine(wordsOf(error)));
  }
  return file;
}

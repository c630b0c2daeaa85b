// Where voda's own programs are: sources in the workspace, bundles beside this file in the published package.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface Programs {
  readonly cli: string;
  readonly controlplane: string;
  readonly node: string;
  /** Prints the agents of a bundle. */
  readonly describe: string;
  /** Runs the benches of placement. */
  readonly placementBench: string;
  /** Calls a node, and is what its CPU is compared with. */
  readonly callsDriver: string;
  readonly callsControl: string;
  /** The config of the mesh that placements are timed in. */
  readonly gpuConfig: string;
}

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export function programs(): Programs {
  if (existsSync(at("./programs.ts")))
    return {
      cli: at("./main.ts"),
      controlplane: at("../../controlplane/src/main.ts"),
      node: at("../../dataplane/src/main.ts"),
      describe: at("./bundle/describe.ts"),
      placementBench: at("../../controlplane/bench/main.ts"),
      callsDriver: at("./bench/calls-driver.ts"),
      callsControl: at("./bench/calls-control.ts"),
      gpuConfig: at("./bench/gpu.config.ts"),
    };
  return {
    cli: at("./cli.js"),
    controlplane: at("./controlplane.js"),
    node: at("./node.js"),
    describe: at("./describe.js"),
    placementBench: at("./placement-bench.js"),
    callsDriver: at("./calls-driver.js"),
    callsControl: at("./calls-control.js"),
    gpuConfig: at("./gpu.config.ts"),
  };
}

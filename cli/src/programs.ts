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
      gpuConfig: at("./bench/gpu.config.ts"),
    };
  return {
    cli: at("./cli.js"),
    controlplane: at("./controlplane.js"),
    node: at("./node.js"),
    describe: at("./describe.js"),
    placementBench: at("./placement-bench.js"),
    gpuConfig: at("./gpu.config.ts"),
  };
}

import { bootstrap, type Endpoint, envoyArguments } from "@voda/envoy";

export interface EnvoyStart {
  readonly nodeId: string;
  readonly admin: Endpoint;
  readonly xds: Endpoint;
  /** Where the configuration will be written; the name ends in `.json`. */
  readonly file: string;
}

/** What a supervisor needs to start an Envoy of this control plane: the text of its configuration file, and its arguments. */
export function envoyStart({ file, ...options }: EnvoyStart): { configuration: string; args: string[] } {
  return { configuration: `${JSON.stringify(bootstrap(options), undefined, 2)}\n`, args: envoyArguments(file) };
}

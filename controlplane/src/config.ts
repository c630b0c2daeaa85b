// The control plane's flags.
import { resolve } from "node:path";
import { address, list, natsUrl, oneOf, path, port, readFlags } from "@voda/net";
import { hostProblem, originProblem } from "@voda/proto/border";
import { type PolicyName, policyNames } from "@voda/proto/placement";
import * as v from "valibot";

const flags = {
  nats: natsUrl,
  /** File with `user:password`; without it the server asks for none. */
  natsLogin: v.optional(path),
  /** Folder, for its owner alone, of the sockets that Envoy connects to and of what it ran with last. */
  edgeDir: path,
  /** Where Envoy listens for clients. */
  listenerHost: v.optional(address, "127.0.0.1"),
  listenerPort: v.optional(port, "4000"),
  /** Names, beside the loopback's and the listener's own, by which clients may call. */
  allowHost: v.optional(list(hostProblem), ""),
  /** Origins whose pages may call. */
  allowOrigin: v.optional(list(originProblem), ""),
  durability: v.optional(oneOf(["process", "replicated", "disk"]), "process"),
  /** What ranks the nodes that fit. */
  placementPolicy: v.optional(oneOf(policyNames), "bpf"),
};

/** The flags of one control plane, checked and frozen. */
export interface Config {
  readonly nats: string;
  readonly natsLogin: string | undefined;
  /** Absolute path. */
  readonly edgeDir: string;
  readonly listener: { readonly host: string; readonly port: number };
  readonly allowHosts: readonly string[];
  readonly allowOrigins: readonly string[];
  /** Copies of every stream and bucket. */
  readonly replicas: 1 | 3;
  readonly placementPolicy: PolicyName;
}

/** @throws FlagError */
export function readConfig(args: readonly string[]): Config {
  const { nats, natsLogin, edgeDir, listenerHost, listenerPort, ...given } = readFlags(flags, args);
  return Object.freeze({
    nats,
    natsLogin,
    edgeDir: resolve(edgeDir),
    listener: Object.freeze({ host: listenerHost, port: listenerPort }),
    allowHosts: given.allowHost,
    allowOrigins: given.allowOrigin,
    replicas: given.durability === "replicated" ? 3 : 1,
    placementPolicy: given.placementPolicy,
  });
}

import type { Endpoint } from "@voda/envoy";

/** What stays the same for the life of a control plane. */
export interface IngressConfig {
  /** Where clients connect. */
  readonly listener: Endpoint;
  /** Path of the picker's unix socket. */
  readonly picker: string;
  /** Path of the API's. */
  readonly api: string;
  /** Proof towards nodes that a request came through Envoy. */
  readonly edgeSecret: string;
  /** Names, beside the loopback's and the listener's own, by which clients may call. */
  readonly allowHosts: readonly string[];
  /** Origins, as `https://app.example`, whose pages may call. */
  readonly allowOrigins: readonly string[];
}

/** A node's ingress as proxies shall see it. */
export interface IngressNode {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  /** Keeps its sessions and gets no new ones. */
  readonly draining: boolean;
}

/** Of the one listener and its routes. */
export const ingressName = "ingress";
/** What requests can be sent to. */
export const clusterNames = { agents: "agents", api: "api", picker: "picker" } as const;

/** Routes switch the filter off under this name. */
export const extAuthzFilter = "envoy.filters.http.ext_authz";

/** Dynamic metadata of a request: where the hint of the client is kept. */
export const hintMetadata = { namespace: "envoy.lb", key: "voda_hint" } as const;
/** The picker's answer: its response header and the metadata that Envoy makes of it. */
export const ownerMetadata = { namespace: extAuthzFilter, key: "owner" } as const;

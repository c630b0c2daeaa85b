// The files of a folder with what proxies accepted last. Their endings tell Envoy that they are protobuf.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ResourceKind } from "./resource/kind.ts";

/** One file per kind of resources, a `DiscoveryResponse` each. */
export function lastFiles(folder: string): Readonly<Record<ResourceKind, string>> {
  const of = (kind: ResourceKind): string => join(folder, `${kind}.pb`);
  return {
    cluster: of("cluster"),
    assignment: of("assignment"),
    listener: of("listener"),
    route: of("route"),
  };
}

/** Whether a proxy can start from this folder: a first write that was broken off leaves some files out. */
export function hasLast(folder: string): boolean {
  return Object.values(lastFiles(folder)).every((file) => existsSync(file));
}

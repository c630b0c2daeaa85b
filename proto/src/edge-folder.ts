// The folder where Envoy, a control plane and whoever starts them meet: unix sockets and Envoy's last
// configuration. On a port every user of the machine could read xDS, with the edge's secret in it, and call
// the API; who may enter a folder the kernel decides.
import { lstatSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/** What is in an edge folder. */
export interface EdgePaths {
  /** Socket of Envoy's own pages. */
  readonly admin: string;
  /** Socket of `voda.api.v1`. */
  readonly api: string;
  /** Socket of what Envoy asks where a session is. */
  readonly picker: string;
  /** Socket of what Envoy is configured by. */
  readonly xds: string;
  /** Folder of what Envoy ran with last: it starts from there while no control plane lives. */
  readonly last: string;
}

/**
 * What the kernels allow for the path of a unix socket, the terminating zero included: 104 on macOS, 108 on
 * Linux.
 */
export const socketPathBytesMax = 103;
const ownerOnly = 0o700;
const others = 0o077;

/** Names only: nothing is made or looked at. */
export function edgePaths(folder: string): EdgePaths {
  const at = (name: string): string => join(folder, name);
  return {
    admin: at("admin.sock"),
    api: at("api.sock"),
    picker: at("picker.sock"),
    xds: at("xds.sock"),
    last: at("last"),
  };
}

/** Whether the kernel takes the sockets of a folder with this path. */
export function fitsSockets(folder: string): boolean {
  return Object.values(edgePaths(folder)).every((path) => Buffer.byteLength(path) <= socketPathBytesMax);
}

/**
 * Makes the folder, or takes one that is there and closed to others: in a temporary folder somebody else may
 * have been first.
 * @throws when its path is too long, or when others own it or may enter it
 */
export function openEdgeFolder(folder: string): EdgePaths {
  if (!fitsSockets(folder))
    throw new Error(
      `edge folder ${folder} is too long: paths of sockets have at most ${socketPathBytesMax} bytes; name a shorter one`,
    );
  mkdirSync(folder, { recursive: true, mode: ownerOnly });
  const found = lstatSync(folder);
  const mode = (found.mode & 0o777).toString(8);
  const isOurs = found.isDirectory() && found.uid === (process.getuid?.() ?? found.uid);
  if (!isOurs) throw new Error(`edge folder ${folder} is not a folder of this user's; remove it`);
  if ((found.mode & others) !== 0)
    throw new Error(`edge folder ${folder} is open to others (mode ${mode}); \`chmod 700\` it`);
  return edgePaths(folder);
}

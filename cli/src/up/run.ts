import { removeFile } from "@voda/stdx/own-file";
import { sweepParts } from "@voda/stdx/replace-file";
import { openDataFolder } from "./data-folder.ts";
import { lock } from "./lock.ts";
import { Mesh, type MeshOptions, processesFile } from "./mesh.ts";
import { natsLogin } from "./nats-login.ts";
import { reap } from "./processes.ts";
import { clearReadyFile, formatReadyFile, writeReadyFile } from "./ready-file.ts";
import { stopRequest } from "./stop-request.ts";

/** What a command adds to a mesh: how it comes to serve, and what runs beside it. */
export interface RunOptions extends Omit<MeshOptions, "onReady"> {
  /** Written when the mesh serves, and after each restart of a part. */
  readonly readyFile?: string;
  /** Brings the mesh to where it serves. */
  readonly serve: (mesh: Mesh) => Promise<void>;
  /** What runs while the mesh serves. */
  readonly accompany: (mesh: Mesh) => Promise<AsyncDisposable | undefined>;
}

/**
 * Runs a mesh until Ctrl-C or SIGTERM; nothing of it runs on afterwards. @throws when a part keeps failing
 */
export async function runMesh(options: RunOptions): Promise<void> {
  const { dataDir, readyFile } = options;
  openDataFolder(dataDir);
  using held = lock(dataDir);
  sweepParts(dataDir);
  using stop = stopRequest();
  const reaped = await reap(processesFile(dataDir));
  if (reaped.length > 0)
    options.say(`ended ${reaped.length} processes that an earlier start left in ${dataDir}`);

  using readyFileOfOurs = new DisposableStack();
  if (readyFile !== undefined) {
    clearReadyFile(readyFile);
    readyFileOfOurs.defer(() => removeFile(readyFile));
  }
  let isReady = false;
  const ready = (mesh: Mesh): string => formatReadyFile(mesh.describe(), natsLogin(dataDir));
  const onReady = (mesh: Mesh): void => {
    if (isReady && readyFile !== undefined) mesh.files.replace(readyFile, ready(mesh));
  };
  await using mesh = await Mesh.start({ ...options, onReady });
  const first = await Promise.race([stop.asked, mesh.failed, options.serve(mesh)]);
  if (first === "stopped") return;
  held.serves(mesh.ingressUrl);
  if (readyFile !== undefined) writeReadyFile(readyFile, ready(mesh));
  isReady = true;
  await using _company = await options.accompany(mesh);
  await Promise.race([stop.asked, mesh.failed]);
  options.say("stopping");
}

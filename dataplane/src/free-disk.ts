// What is free on the file system of the data directory.
import { statfs } from "node:fs/promises";
import { nodeDiskMibMax } from "@voda/proto/placement";

const mib = 1024 * 1024;

/** As users without privileges see it. */
export async function freeDiskBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** What a node promises of it. */
export async function freeDiskMib(folder: string): Promise<number> {
  return Math.min(nodeDiskMibMax, Math.floor((await freeDiskBytes(folder)) / mib));
}

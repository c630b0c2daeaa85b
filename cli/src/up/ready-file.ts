import type { NatsLogin } from "@voda/proto/nats-login";
import { removeFile } from "@voda/stdx/own-file";
import { replaceFile } from "@voda/stdx/replace-file";
import type { CliError } from "../failure.ts";
import { unwritable } from "./first-write.ts";

/** Where everything is; written when all of it serves, and again after each restart of a part. */
export interface ReadyFile {
  /** URL that clients use. */
  readonly ingress: string;
  /** URL of `voda.api.v1`. */
  readonly api: string;
  /** In the file, though not in what is printed, the URL holds the login: the file is for its owner only. */
  readonly nats: { readonly url: string; readonly pid: number };
  /** `admin` is the path of a unix socket. */
  readonly envoy: { readonly admin: string; readonly pid: number };
  readonly controlplanes: readonly { readonly pid: number }[];
  readonly nodes: readonly { readonly id: string; readonly pid: number; readonly ingress: string }[];
}

/** The content of a file that is only its owner's to read. */
export function formatReadyFile(ready: ReadyFile, { user, pass }: NatsLogin): string {
  const nats = { ...ready.nats, url: ready.nats.url.replace("://", `://${user}:${pass}@`) };
  return `${JSON.stringify({ ...ready, nats })}\n`;
}

/**
 * Removes what a supervisor that was killed has left, and looks whether the file can be written, which is
 * only done when the mesh serves. @throws CliError when it cannot
 */
export function clearReadyFile(path: string): void {
  const beside = `${path}.probe`; // who waits for the file must not see an empty one
  try {
    removeFile(path);
    replaceFile(beside, "");
    removeFile(beside);
  } catch (error) {
    throw refusal(path, error);
  }
}

/** Now that all of it serves. @throws CliError when it cannot be written */
export function writeReadyFile(path: string, content: string): void {
  try {
    replaceFile(path, content);
  } catch (error) {
    throw refusal(path, error);
  }
}

function refusal(path: string, cause: unknown): CliError {
  return unwritable(
    `--ready-file ${path}`,
    cause,
    "name a file in a folder that is there and may be written",
  );
}

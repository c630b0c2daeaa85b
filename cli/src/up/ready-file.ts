import { replaceFile } from "./replace-file.ts";

/** Where everything is; written when all of it serves, and again after each restart of a part. */
export interface ReadyFile {
  /** URL that clients use. */
  readonly ingress: string;
  /** URL of `voda.api.v1`. */
  readonly api: string;
  readonly nats: { readonly url: string; readonly pid: number };
  readonly envoy: { readonly adminUrl: string; readonly pid: number };
  readonly controlplanes: readonly { readonly pid: number }[];
  readonly nodes: readonly { readonly id: string; readonly pid: number; readonly ingress: string }[];
}

export function writeReadyFile(path: string, ready: ReadyFile): void {
  replaceFile(path, `${JSON.stringify(ready)}\n`);
}

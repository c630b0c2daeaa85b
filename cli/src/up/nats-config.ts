import type { NatsLogin } from "@voda/proto/nats-login";
import { natsPayloadBytesMax } from "@voda/proto/wire";

/**
 * What an acknowledged answer survives: a killed process, or a power loss too (slower: each write is
 * synced).
 */
export type Durability = "process" | "disk";

/** The configuration file of one nats-server for this machine. It holds the login: for its owner only. */
export function natsConfig(options: {
  readonly port: number;
  readonly storeDir: string;
  readonly storeBytesMax: number;
  readonly login: NatsLogin;
  readonly durability: Durability;
}): string {
  // Without `always` an acknowledged message is in the page cache: it survives the process, not a power loss.
  const sync = options.durability === "disk" ? "\n  sync_interval: always" : "";
  return `server_name: voda
listen: "127.0.0.1:${options.port}"
authorization { user: ${JSON.stringify(options.login.user)}, password: ${JSON.stringify(options.login.pass)} }
max_payload: ${natsPayloadBytesMax}
jetstream {
  store_dir: ${JSON.stringify(options.storeDir)}
  max_file_store: ${options.storeBytesMax}${sync}
}
`;
}

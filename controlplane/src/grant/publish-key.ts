// Keeps the public key of this process in `voda_keys` as long as grants signed with it can be valid, and
// longer.
import type { JetStreamClient } from "@nats-io/jetstream";
import { keysBucket } from "@voda/proto/wire";
import type { Logger } from "pino";
import type { GrantSigner } from "./sign.ts";

/** Seconds; a closed or killed process leaves its key for at least `keySeconds - renewSeconds` = 60 s. */
const keySeconds = 90;
const renewSeconds = 30;

export interface PublishedKey extends Disposable {
  /** Ends the renewals; the key stays until its time to live is over. */
  close(): void;
}

/** Resolves when the key is stored. A raw publish, because the bucket's own update drops the time to live. */
export async function publishKey(
  js: JetStreamClient,
  signer: GrantSigner,
  log: Logger,
): Promise<PublishedKey> {
  const put = async (): Promise<void> => {
    await js.publish(`$KV.${keysBucket}.${signer.keyId}`, signer.publicJwk, { ttl: `${keySeconds}s` });
  };
  await put();
  const timer = setInterval(() => {
    put().catch((error: unknown) =>
      log.error({ err: error, keyId: signer.keyId }, "the grant key was not renewed"),
    );
  }, renewSeconds * 1000);
  const close = (): void => clearInterval(timer);
  return { close, [Symbol.dispose]: close };
}

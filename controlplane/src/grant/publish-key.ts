// Keeps the public key of this process in `voda_keys` as long as grants signed with it can be valid, and
// longer.
import type { JetStreamClient } from "@nats-io/jetstream";
import { keysBucket } from "@voda/proto/wire";
import type { Logger } from "pino";
import type { GrantSigner } from "./sign.ts";

/** Seconds; a closed or killed process leaves its key for at least `keySeconds - renewSeconds` = 60 s. */
const keySeconds = 90;
const renewSeconds = 30;

/** Where the key is kept. */
export interface PublishKeyOptions {
  readonly js: JetStreamClient;
  readonly signer: GrantSigner;
  readonly log: Logger;
}

/** Resolves when the key is stored; disposing ends the renewals, and the key stays until its time is over. */
export async function publishKey({ js, signer, log }: PublishKeyOptions): Promise<Disposable> {
  const { keyId, publicJwk } = signer;
  // A raw publish, because the bucket's own update drops the time to live.
  const put = () => js.publish(`$KV.${keysBucket}.${keyId}`, publicJwk, { ttl: `${keySeconds}s` });
  await put();
  const timer = setInterval(() => {
    put().catch((error: unknown) => log.error({ err: error, keyId }, "the grant key was not renewed"));
  }, renewSeconds * 1000);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

// Keeps the public key of this process in `voda_keys` as long as grants signed with it can be valid, and
// longer; and learns the time of the store on the way.
import type { JetStreamClient } from "@nats-io/jetstream";
import type { KV } from "@nats-io/kv";
import { keysBucket } from "@voda/proto/wire";
import type { Clock } from "@voda/stdx";
import type { Logger } from "pino";
import type { GrantSigner } from "./sign.ts";

/** Seconds; a closed or killed process leaves its key for at least `keySeconds - renewSeconds` = 60 s. */
const keySeconds = 90;
const renewSeconds = 30;

export interface PublishedKey extends Disposable {
  /**
   * Milliseconds since 1970 by the clock of the store. Grants are dated by it: the clocks of control planes
   * and nodes differ, and each of them reaches the store's. It is measured with each renewal, to half of a
   * round trip, and goes on by the monotonic clock: a wall clock that is set decides nothing.
   */
  readonly storeMs: () => number;
  /** Ends the renewals; the key stays until its time to live is over. */
  close(): void;
}

/** Where the key is kept, and the clock that the store is compared with. */
export interface PublishKeyOptions {
  readonly js: JetStreamClient;
  /** The bucket `voda_keys`. */
  readonly keys: KV;
  readonly signer: GrantSigner;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Resolves when the key is stored. */
export async function publishKey({ js, keys, signer, clock, log }: PublishKeyOptions): Promise<PublishedKey> {
  const { keyId, publicJwk } = signer;
  let offsetMs = await put();
  const timer = setInterval(() => {
    put().then(
      (measuredMs) => {
        offsetMs = measuredMs;
      },
      (error: unknown) => log.error({ err: error, keyId }, "the grant key was not renewed"),
    );
  }, renewSeconds * 1000);
  const close = (): void => clearInterval(timer);
  return { storeMs: () => clock.monotonicMs() + offsetMs, close, [Symbol.dispose]: close };

  /**
   * What the store's clock is ahead of the monotonic one. A raw publish, because the bucket's own update
   * drops the time to live.
   */
  async function put(): Promise<number> {
    const beforeMs = clock.monotonicMs();
    const { seq } = await js.publish(`$KV.${keysBucket}.${keyId}`, publicJwk, { ttl: `${keySeconds}s` });
    const afterMs = clock.monotonicMs();
    const entry = await keys.get(keyId, { revision: seq });
    if (entry === null) throw new Error(`the key ${keyId} that was just stored is not in ${keysBucket}`);
    return entry.created.getTime() - (beforeMs + afterMs) / 2;
  }
}

// The store's time as a control plane knows it. Grants are dated by it: the clocks of control planes and
// nodes differ, and each of them reaches the store's. Nodes follow it by the renewals of their leases, once a
// second; a control plane that looked less often would date grants wrongly after the store's clock was set,
// or after this machine was suspended (the monotonic clock stands still then), and no session would get its
// device.
import type { JetStreamManager } from "@nats-io/jetstream";
import { StoreClock } from "@voda/net";
import { nodesBucket } from "@voda/proto/wire";
import type { Clock } from "@voda/stdx";
import type { Logger } from "pino";

/** Milliseconds since 1970 by the store's clock, followed until it is closed. */
export interface StoreTime extends Disposable {
  readonly storeMs: () => number;
}

/** By what the store is asked, and the clock that it is compared with. */
export interface StoreTimeOptions {
  readonly jsm: { readonly streams: Pick<JetStreamManager["streams"], "info"> };
  /** A wall clock that is set decides nothing: it is not looked at. */
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Logger;
}

/** As often as nodes renew their leases. */
const readEveryMs = 1_000;
/** A server that was killed is back within that time, and who lost the connection to it has said so. */
const silentMsMax = 10_000;
/** The leader of the leases' stream answers, whose time nodes go by. */
const leasesStream = `KV_${nodesBucket}`;

/** Resolves when the time is known. */
export async function followStoreTime({ jsm, clock, log }: StoreTimeOptions): Promise<StoreTime> {
  const storeClock = new StoreClock();
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  await read();
  let toldAtMs = clock.monotonicMs();
  let warnedOfMs: number | undefined;
  again(readEveryMs);
  return {
    storeMs: () => storeClock.storeMs(clock.monotonicMs()),
    [Symbol.dispose]: () => {
      isClosed = true;
      clearTimeout(timer);
    },
  };

  function again(ms: number): void {
    if (isClosed) return;
    timer = setTimeout(() => {
      read().then(
        // Of two readings that contradict the others, the second decides: it is not waited for.
        (hasJumped) => {
          toldAtMs = clock.monotonicMs();
          again(hasJumped ? 0 : readEveryMs);
        },
        (error: unknown) => {
          warn(error);
          again(readEveryMs);
        },
      );
    }, ms);
  }

  /** Once for each silence. */
  function warn(err: unknown): void {
    const silentMs = Math.round(clock.monotonicMs() - toldAtMs);
    if (isClosed || silentMs < silentMsMax || warnedOfMs === toldAtMs) return;
    warnedOfMs = toldAtMs;
    log.warn({ err, silentMs }, "the store does not tell its time; grants go by the last");
  }

  async function read(): Promise<boolean> {
    const sentAtMs = clock.monotonicMs();
    const { ts } = await jsm.streams.info(leasesStream);
    const storedAtMs = Date.parse(ts ?? "");
    if (Number.isNaN(storedAtMs))
      throw new Error(`the info of ${leasesStream} has no time, but ${String(ts)}`);
    const doubt = storeClock.read({ sentAtMs, ackedAtMs: clock.monotonicMs(), storedAtMs });
    if (doubt?.type === "jumped")
      log.warn({ jumpMs: Math.round(doubt.jumpMs) }, "the store's clock has jumped");
    return doubt?.type === "jumped";
  }
}

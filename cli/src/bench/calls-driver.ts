// A process that calls over connections of its own, each with one call at a time. Orders come from
// `voda bench calls`, its parent, whose CPU is not that of the calls then.
import { prng } from "@voda/stdx";
import { quantile } from "@voda/stdx/bench";
import { Connections } from "./connections.ts";

/**
 * POSTs of `1` to `prefix`, a number below `sessions`, `suffix`, until the time is over and every call is
 * answered.
 */
export interface DriveOrder {
  readonly port: number;
  readonly connections: number;
  readonly ms: number;
  readonly prefix: string;
  readonly sessions: number;
  readonly suffix: string;
  readonly seed: number;
}

/** What the driver answers to an order; percentiles are over its calls, failed ones included. */
export interface Driven {
  readonly calls: number;
  /** Answered with another status than 200. */
  readonly failed: number;
  readonly ms: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** A call that is not answered by then ends the bench: nothing that it measures takes so long. */
const silentMsMax = 60_000;

/** Kept from order to order: what an order measures is calls, not handshakes. */
const pools = new Map<string, Connections>();

function poolOf({ port, connections: connectionsMax }: DriveOrder): Connections {
  const key = `${port}/${connectionsMax}`;
  const known = pools.get(key);
  if (known !== undefined) return known;
  const pool = new Connections({ host: "localhost", port, connectionsMax, silentMsMax });
  pools.set(key, pool);
  return pool;
}

async function drive(order: DriveOrder): Promise<Driven> {
  const pool = poolOf(order);
  const times: number[] = [];
  let failed = 0;
  const startedMs = performance.now();
  const untilMs = startedMs + order.ms;
  const headers = { "content-type": "application/json" };
  /** One call after the other, each to any session. */
  const callOn = async (random: ReturnType<typeof prng>): Promise<void> => {
    for (let nowMs = startedMs; nowMs < untilMs; ) {
      const path = `${order.prefix}${random.below(order.sessions)}${order.suffix}`;
      const sentMs = performance.now();
      const answer = await pool.request({ method: "POST", path, headers, body: "1" });
      nowMs = performance.now();
      times.push(nowMs - sentMs);
      if (answer.status !== 200) failed += 1;
    }
  };
  await Promise.all(Array.from({ length: order.connections }, (_, i) => callOn(prng(order.seed + i))));
  const sorted = Float64Array.from(times).sort();
  return {
    calls: sorted.length,
    failed,
    ms: performance.now() - startedMs,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
  };
}

process.on("message", (order: DriveOrder) => {
  drive(order).then(
    (driven) => process.send?.(driven),
    (error: unknown) => {
      throw error; // the parent sees the exit, and the reason on standard error
    },
  );
});

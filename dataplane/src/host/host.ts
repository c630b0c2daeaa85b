// The reactor with the ports of a real node.
import { crc32 } from "node:zlib";
import { hash16 } from "@voda/proto/hash16";
import type { Clock } from "@voda/stdx";
import { type Grants, type Reports } from "../controls/index.ts";
import { foldBoundsOf, openLane } from "../lane/index.ts";
import type { Membership } from "../membership/index.ts";
import { type HostWorld, Reactor } from "../reactor/index.ts";
import type { Inbox } from "./inbox.ts";
import { createCallersPort, createMeshPort, type MeshParts } from "./mesh-port.ts";
import { createStorePort, type StoreParts } from "./store-port.ts";
import { createTicks } from "./ticks.ts";
import { createWorkerPort, type WorkerParts } from "./worker-port.ts";
import { createWorld } from "./world.ts";

/** Deadlines are met, and timers of lanes ring, two of these late at most. */
export const timerTickMs = 25;
/** Between two looks for sessions whose `sleepAfter` is over: they sleep so much later at most. */
export const idleSweepMs = 250;

/** All that a host is made of. Nothing of it is closed with the host. */
export interface HostParts extends StoreParts, WorkerParts, MeshParts {
  readonly inbox: Inbox;
  readonly grants: Pick<Grants, "verify">;
  readonly reports: Reports;
  readonly membership: Membership;
  readonly clock: Clock;
  readonly numbers: () => number;
  /** `ip:port` of this node's ingress, for callers. */
  readonly hint: string;
  /** Whether the store may lose its unsynced tail: trims lag then. */
  readonly isSynced: boolean;
  readonly isConnected: () => boolean;
}

/** Disposal answers the calls that are left. */
export interface Host extends Disposable {
  readonly reactor: Reactor;
  readonly world: Pick<HostWorld, "standing">;
}

/** Opens the inbox. */
export function openHost(parts: HostParts): Host {
  const { clock, membership, numbers, inbox, hint } = parts;
  const nowMs = (): number => clock.monotonicMs();
  const ticks = createTicks<() => void>({ nowMs, tickMs: timerTickMs, onDue: (act) => act() });
  const worker = createWorkerPort(parts);
  const world = createWorld(clock, membership, numbers);
  const reactor = new Reactor({
    ports: {
      worker,
      store: createStorePort(parts),
      callers: createCallersPort(parts),
      mesh: createMeshPort(parts),
    },
    world,
    timers: { nowMs, at: (atMs, act) => ticks.add(atMs, act) },
    openLane: (name) =>
      openLane({
        name,
        crc32,
        hash: hash16,
        folds: foldBoundsOf(parts.isSynced),
        connected: parts.isConnected(),
      }),
    hint,
  });
  const idle = setInterval(() => reactor.sleepIdle(), idleSweepMs);
  inbox.open(reactor);
  return {
    reactor,
    world,
    [Symbol.dispose]() {
      clearInterval(idle);
      ticks[Symbol.dispose]();
      reactor.close();
    },
  };
}

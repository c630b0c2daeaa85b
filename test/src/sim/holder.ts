// A node's own lease: renews it, knows by its clocks how long it may answer reads, and returns under a new
// incarnation.
import type { Standing } from "../../../dataplane/src/lane/index.ts";
import type { Clockwork } from "./clockwork.ts";
import {
  createKnowledge,
  type Knowledge,
  type LeaseNews,
  type Leases,
  readWindowMs,
  renewEveryMs,
} from "./leases.ts";
import type { Link } from "./link.ts";
import type { SimProcess } from "./process.ts";

export interface Holder {
  readonly incarnation: string;
  start(): void;
  connected(): void;
  hear(news: LeaseNews): void;
  isValid(): boolean;
  standing(incarnation: string): Standing;
}

export interface HolderOptions {
  readonly index: number;
  readonly clockwork: Clockwork;
  readonly process: SimProcess;
  readonly leases: () => Leases;
  readonly link: () => Link;
  readonly changed: () => void;
}

export function createHolder({ index, clockwork, process, leases, link, changed }: HolderOptions): Holder {
  const { random } = clockwork;
  let knowledge: Knowledge = createKnowledge();
  let incarnation = "";
  /** Clocks when the last acknowledged renewal was sent. */
  let window = { monotonicMs: Number.NEGATIVE_INFINITY, wallMs: Number.NEGATIVE_INFINITY };
  let isEnded = false;

  const fresh = (): string =>
    `${index}${Array.from({ length: 31 }, () => random.below(16).toString(16)).join("")}`;

  function isValid(): boolean {
    const elapsedMs = Math.max(process.monotonicMs - window.monotonicMs, process.wallMs - window.wallMs);
    return !isEnded && elapsedMs < readWindowMs;
  }

  function renewed(sentAt: typeof window): void {
    const wasValid = isValid();
    window = sentAt;
    if (!wasValid) changed();
  }

  function renew(): void {
    const sentAt = { monotonicMs: process.monotonicMs, wallMs: process.wallMs };
    const mine = incarnation;
    link().publish((reply) => {
      const ok = leases().renew(mine);
      reply(() => {
        if (mine !== incarnation) return;
        if (ok) renewed(sentAt);
        else ended();
      });
    });
  }

  function ended(): void {
    if (isEnded) return;
    isEnded = true;
    returnAgain();
  }

  function returnAgain(): void {
    if (!isEnded) return;
    const before = incarnation;
    const next = fresh();
    const sentAt = { monotonicMs: process.monotonicMs, wallMs: process.wallMs };
    link().publish((reply) => {
      leases().create(next, before);
      reply(() => {
        if (!isEnded || before !== incarnation) return;
        clockwork.say(`node ${index}: returns as ${next.slice(0, 4)}`);
        incarnation = next;
        isEnded = false;
        knowledge.hear({ type: "ended", incarnation: before });
        renewed(sentAt);
        changed();
      });
    });
    process.deliver(500, returnAgain);
  }

  function beat(): void {
    if (!isEnded) renew();
    process.deliver(renewEveryMs, beat);
  }

  return {
    get incarnation() {
      return incarnation;
    },
    start() {
      const before = incarnation;
      isEnded = false;
      window = { monotonicMs: Number.NEGATIVE_INFINITY, wallMs: Number.NEGATIVE_INFINITY };
      incarnation = fresh();
      knowledge = createKnowledge();
      // the data directory's lock proves that the process before is dead: an obituary takes the place of its
      // lease
      if (before !== "") {
        leases().end(before);
        knowledge.hear({ type: "ended", incarnation: before });
      }
      leases().create(incarnation, undefined);
      process.deliver(renewEveryMs, beat);
    },
    connected() {
      if (isEnded) returnAgain();
      else renew();
    },
    hear(news) {
      // a bucket is watched from its beginning: what others heard is heard here too
      knowledge.hear(news);
    },
    isValid,
    standing: (other) => knowledge.standing(other),
  };
}

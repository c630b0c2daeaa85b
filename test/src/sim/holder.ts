// A node's own lease: renews it, knows by the product's window how long it may answer reads, and returns
// under a new incarnation.
import type { Standing } from "../../../dataplane/src/lane/index.ts";
import { type Instant, LeaseWindow, leaseRenewMs } from "../../../dataplane/src/membership/window.ts";
import type { Clockwork } from "./clockwork.ts";
import { createKnowledge, type Knowledge, type LeaseNews, type Leases } from "./leases.ts";
import type { Link } from "./link.ts";
import type { SimProgram } from "./program.ts";

export interface HolderOptions {
  readonly index: number;
  readonly clockwork: Clockwork;
  readonly program: SimProgram;
  readonly leases: () => Leases;
  readonly link: () => Link;
  readonly changed: () => void;
}

const returnEveryMs = 500;

const expired = (incarnation: string): LeaseNews => ({ type: "ended", incarnation, isClosed: false });

export class Holder {
  readonly #options: HolderOptions;
  #knowledge: Knowledge = createKnowledge();
  #incarnation = "";
  #window = new LeaseWindow();
  #isEnded = false;

  constructor(options: HolderOptions) {
    this.#options = options;
  }

  get incarnation(): string {
    return this.#incarnation;
  }

  start(): void {
    const { leases, program } = this.#options;
    const before = this.#incarnation;
    this.#isEnded = false;
    this.#window = new LeaseWindow();
    this.#incarnation = this.#fresh();
    this.#knowledge = createKnowledge();
    // the data directory's lock proves that the process before is dead: an obituary takes the place of its
    // lease
    if (before !== "") {
      leases().end(before, false);
      this.#knowledge.hear(expired(before));
    }
    leases().create(this.#incarnation, undefined);
    program.deliver(leaseRenewMs, () => this.#beat());
  }

  /** The node says that it ends. */
  close(): void {
    this.#options.leases().end(this.#incarnation, true);
  }

  connected(): void {
    if (this.#isEnded) this.#retryReturn();
    else this.#renew();
  }

  /** A bucket is watched from its beginning: what others heard is heard here too. */
  hear(news: LeaseNews): void {
    this.#knowledge.hear(news);
  }

  isValid(): boolean {
    return !this.#isEnded && this.#window.leftMs(this.#options.program.clocks) > 0;
  }

  standing(incarnation: string): Standing {
    return this.#knowledge.standing(incarnation);
  }

  wasClosed(incarnation: string): boolean {
    return this.#knowledge.wasClosed(incarnation);
  }

  #fresh(): string {
    const { index, clockwork } = this.#options;
    return `${index}${Array.from({ length: 31 }, () => clockwork.random.below(16).toString(16)).join("")}`;
  }

  #now(): Instant {
    const { monotonicMs, wallMs } = this.#options.program.clocks;
    return { monotonicMs, wallMs };
  }

  #beat(): void {
    if (!this.#isEnded) this.#renew();
    this.#options.program.deliver(leaseRenewMs, () => this.#beat());
  }

  #renew(): void {
    const { link, leases } = this.#options;
    const sentAt = this.#now();
    const mine = this.#incarnation;
    link().publish((reply) => {
      const isRenewed = leases().renew(mine);
      reply(() => {
        if (mine !== this.#incarnation) return;
        if (isRenewed) this.#renewed(sentAt);
        else this.#ended();
      });
    });
  }

  #renewed(sentAt: Instant): void {
    const wasValid = this.isValid();
    this.#window.renewed(sentAt);
    if (!wasValid) this.#options.changed();
  }

  #ended(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#retryReturn();
  }

  #retryReturn(): void {
    if (!this.#isEnded) return;
    const { index, clockwork, program, link, leases, changed } = this.#options;
    const before = this.#incarnation;
    const next = this.#fresh();
    const sentAt = this.#now();
    link().publish((reply) => {
      leases().create(next, before);
      reply(() => {
        if (!this.#isEnded || before !== this.#incarnation) return;
        clockwork.say(`node ${index}: returns as ${next.slice(0, 4)}`);
        clockwork.meet("a node returns under a new incarnation");
        this.#incarnation = next;
        this.#isEnded = false;
        this.#knowledge.hear(expired(before));
        this.#renewed(sentAt);
        changed();
      });
    });
    program.deliver(returnEveryMs, () => this.#retryReturn());
  }
}

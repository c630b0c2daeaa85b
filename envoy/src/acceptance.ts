// When a snapshot is what the proxies run with.
import type { Snapshot } from "./snapshot/snapshot.ts";

/** Proxies try again every half a second; one that starts has asked by then. */
export const returnMsMax = 2_000;

/** Tells of each snapshot once, when the proxies run with it; not of one that a newer one has overtaken. */
export class Acceptance {
  readonly #isAccepted: () => boolean;
  readonly #report: (snapshot: Snapshot) => void;
  #waiting: Snapshot | undefined;
  #returned: NodeJS.Timeout | undefined;

  /** `isAccepted`: every proxy that is connected now runs with the newest snapshot. */
  constructor(isAccepted: () => boolean, report: (snapshot: Snapshot) => void) {
    this.#isAccepted = isAccepted;
    this.#report = report;
  }

  /** A proxy that starts from files is never connected, so silence must not hold the news back for ever. */
  published(snapshot: Snapshot): void {
    this.#forget();
    this.#waiting = snapshot;
    this.#awaitReturn();
  }

  /** A proxy has left. One that comes back is asked again; one that does not holds nothing back. */
  gone(): void {
    if (this.#waiting !== undefined) this.#awaitReturn();
  }

  /** One refusal holds: what half of the proxies cannot run with, none shall start with. */
  settle(): void {
    if (this.#waiting === undefined || !this.#isAccepted()) return;
    const accepted = this.#waiting;
    this.#forget();
    this.#report(accepted);
  }

  /** Tells nothing any more. */
  close(): void {
    this.#forget();
  }

  #forget(): void {
    clearTimeout(this.#returned);
    this.#returned = undefined;
    this.#waiting = undefined;
  }

  /** Those that come and go do not put it off. */
  #awaitReturn(): void {
    this.#returned ??= setTimeout(() => {
      this.#returned = undefined;
      this.settle();
    }, returnMsMax).unref();
  }
}

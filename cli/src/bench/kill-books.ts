// What was asked of sessions that are killed, beside what their books say of it.

/** What a session is asked; every one is also noted in its state. */
export const orderKinds = ["call", "send", "schedule", "run"] as const;
/** One of them. */
export type OrderKind = (typeof orderKinds)[number];

/** One call. */
export interface Order {
  readonly id: string;
  readonly kind: OrderKind;
  /** The session that is called. */
  readonly from: string;
  /** The one that hears of it. */
  readonly to: string;
  readonly inMs: number;
  /** Known when the call is over: without an answer it may have taken effect. */
  outcome: "acknowledged" | "unknown";
}

/** Of one session: how often it did what it was asked, took a message, heard a timer; keys of its steps. */
export interface Books {
  readonly done: Readonly<Record<string, number>>;
  readonly taken: Readonly<Record<string, number>>;
  readonly rung: Readonly<Record<string, number>>;
  readonly paid: Readonly<Record<string, string>>;
}

/** `lost`: should have happened and did not. `doubled`: too often, or without the turn that it belongs to. */
export interface Tally {
  readonly made: number;
  readonly lost: number;
  readonly doubled: number;
}

/** What committed turns did. */
export const effectKinds = ["state", "sends", "timers", "runs"] as const;
/** By effect. */
export type Tallies = Readonly<Record<(typeof effectKinds)[number], Tally>>;

/** @param keysOf of the steps that were done outside for an order */
export function tally(
  orders: readonly Order[],
  books: ReadonlyMap<string, Books>,
  keysOf: (id: string) => readonly string[],
): Tallies {
  const tallies = {
    state: { made: 0, lost: 0, doubled: 0 },
    sends: { made: 0, lost: 0, doubled: 0 },
    timers: { made: 0, lost: 0, doubled: 0 },
    runs: { made: 0, lost: 0, doubled: 0 },
  };
  const count = (effect: keyof Tallies, times: number, least: number, most: number): void => {
    const of = tallies[effect];
    of.made += Math.min(times, 1);
    of.lost += Math.max(0, least - times);
    of.doubled += Math.max(0, times - most);
  };
  for (const { id, kind, from, to, outcome } of orders) {
    const done = books.get(from)?.done[id] ?? 0;
    count("state", done, outcome === "acknowledged" ? 1 : 0, 1);
    const turns = Math.min(done, 1); // whether it was committed: a second time is counted above
    if (kind === "send") count("sends", books.get(to)?.taken[id] ?? 0, turns, turns);
    if (kind === "schedule") count("timers", books.get(to)?.rung[id] ?? 0, turns, turns);
    if (kind === "run") {
      const keys = keysOf(id);
      count("runs", keys.length, turns, 1); // a step of a turn that failed was done all the same
      const paid = books.get(from)?.paid[id];
      if (keys.length === 1 && turns === 1 && paid !== keys[0]) tallies.runs.lost += 1;
    }
  }
  return tallies;
}

/** Of all effects. */
export function totalOf(tallies: Tallies): Tally {
  const sum = (of: (one: Tally) => number): number =>
    effectKinds.reduce((total, kind) => total + of(tallies[kind]), 0);
  return { made: sum((one) => one.made), lost: sum((one) => one.lost), doubled: sum((one) => one.doubled) };
}

// When a message goes that does not leave with its turn: as handlers say it, and sessions keep it.

/** By the calendar: five fields, or six with seconds first, or a name such as `@daily`; an IANA time zone. */
export interface CronTime {
  readonly pattern: string;
  readonly zone: string;
}

/** In so long; at a time, in milliseconds since 1970; each time that is over; by the calendar; cancelled. */
export type Due =
  | { readonly type: "in" | "at" | "every"; readonly ms: number }
  | ({ readonly type: "cron" } & CronTime)
  | { readonly type: "never" };

/** It waits with the timers of its session, under an id that stands for one of them at a time. */
export interface Timing<D = Due> {
  readonly id: string;
  readonly due: D;
}

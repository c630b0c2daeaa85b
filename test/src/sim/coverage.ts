// What schedules must come to, so that they say something: counted while they run.

/** Each is met in thousands of schedules, or the simulator has lost a power. */
export const occasions = [
  "a record with turns is accepted",
  "a fold is accepted",
  "a tombstone is accepted",
  "a fold stores its pages",
  "a trim takes records",
  "a sleeping session is trimmed",
  "an append is refused",
  "an append is refused for want of room",
  "a proposal is under way",
  "records are read one by one",
  "a follower lags",
  "a message to the store is lost",
  "a message to the store is doubled",
  "an answer of the store is lost",
  "a connection breaks",
  "the store stops",
  "the power takes records",
  "a program dies",
  "a program is stopped",
  "a machine is suspended",
  "a wall clock steps",
  "workers are lost",
  "a call waits for the next tick of its thread",
  "a lease ends",
  "a node returns under a new incarnation",
  "a call is passed on",
  "a passed call comes to a dead program",
  "a passed call comes to a node without a connection",
  "a passed call comes to a later life",
  "a passed call comes back",
  "a passed call is lost with its node",
  "a passed call is lost with the connection",
  "the answer of a passed call is lost",
  "the answer of a passed call comes to a later life",
  "a passed call is taken back",
  "a caller leaves",
  "a caller's deadline passes",
  "a call is told that it did not begin",
  "a session sleeps",
  "a session is fenced",
  "a session ends",
  "loss is reported",
  "a handler fails",
  "a reader is answered",
  "the product's bounds",
  "an asked session answers",
  "a letter is taken",
  "a letter ends its node",
  "a letter is taken after its node was closed under it",
  "a letter is over",
  "a letter is given up",
  "a session sleeps with letters",
  "a bell wakes a session",
  "a timer fires",
  "a timer fires again and again",
  "a timer is cancelled",
  "a session sleeps with timers",
  "a step is noted",
  "a step that is noted is not done again",
  "a step that nobody has noted is done again",
] as const;

export type Occasion = (typeof occasions)[number];

/** Counts over schedules. */
export type Coverage = ReadonlyMap<Occasion, number>;

/** What of `occasions` is missing, in their order. */
export const missing = (seen: Coverage): readonly Occasion[] =>
  occasions.filter((occasion) => (seen.get(occasion) ?? 0) === 0);

export function addCoverage(sum: Map<Occasion, number>, more: Coverage): void {
  for (const [occasion, count] of more) sum.set(occasion, (sum.get(occasion) ?? 0) + count);
}

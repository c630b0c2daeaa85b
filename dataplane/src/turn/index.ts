export { createEntrant, type Entrant, Rounds, tickMs } from "./rounds.ts";
export { feedTurn, mayStart, openTurn, queueCall, startNext, type Turn } from "./turn.ts";
export type * from "./types.ts";

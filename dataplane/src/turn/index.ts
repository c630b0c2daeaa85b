export { feedTurn, openTurn, type Turn } from "./turn.ts";
export type * from "./types.ts";

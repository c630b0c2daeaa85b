export { openTurn, stepTurn, type Turn } from "./turn.ts";
export type * from "./types.ts";

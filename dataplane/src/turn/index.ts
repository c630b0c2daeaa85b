export { createTurn, step, type Turn } from "./turn.ts";
export type * from "./types.ts";

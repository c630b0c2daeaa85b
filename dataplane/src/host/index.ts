export type { Reply } from "./calls.ts";
export { Sessions } from "./sessions.ts";

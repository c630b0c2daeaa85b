export { openBellRounds } from "./bell-rounds.ts";
export { type Host, openHost } from "./host.ts";
export { Inbox } from "./inbox.ts";

export { type Host, openHost } from "./host.ts";
export { Inbox } from "./inbox.ts";

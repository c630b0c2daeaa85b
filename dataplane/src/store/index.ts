export { directBatch, fromLeader, type Query, type Stored } from "./direct.ts";
export { type PageName, type PageReference, pageHash } from "./pages.ts";
export { openRequests, type Requests, StoreError } from "./requests.ts";
export { createStreams, openStore, type RangeOptions, type Store } from "./store.ts";

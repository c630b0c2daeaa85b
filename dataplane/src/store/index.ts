export { directBatch, fromLeader, type Query, readTimeoutMs, type Stored, StoreError } from "./direct.ts";
export { type PageName, type PageReference, pageHash, pageHashBytes } from "./pages.ts";
export { createStreams, openStore, type RangeOptions, type Store } from "./store.ts";

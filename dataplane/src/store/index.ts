export { type AsleepTrims, createAsleepTrims } from "./asleep-trims.ts";
export { pageHash } from "./pages.ts";
export { createStreams, openStore, type RangeOptions, type Store } from "./store.ts";

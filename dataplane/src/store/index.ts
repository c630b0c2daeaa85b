export { type AsleepTrims, openAsleepTrims } from "./asleep-trims.ts";
export { type Bell, type Bells, openBells } from "./bells.ts";
export { type Marks, openMarks } from "./marks.ts";
export { type Names, openNames } from "./names.ts";
export { createStreams, openStore, type RangeOptions, type Store } from "./store.ts";
export { openStoreRoom } from "./store-room.ts";
export { openStreams, type Streams, type StreamsEvent } from "./streams.ts";

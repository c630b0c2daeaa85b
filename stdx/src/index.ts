export { AssertionError, assert, unreachable } from "./assert.ts";
export { BoundedMap } from "./bounded-map.ts";
export { ByteReader, ByteWriter, bytesEqual, DecodeError } from "./bytes.ts";
export { type Clock, systemClock } from "./clock.ts";
export { type Prng, prng } from "./prng.ts";
export { BoundedQueue } from "./queue.ts";
export { SlotTable } from "./slots.ts";
export { oneLine, withWords, wordsOf } from "./words.ts";

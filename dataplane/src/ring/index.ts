export { type RingListener, RingReader } from "./reader.ts";
export { type Bell, createRing, RingError, recordBytesMax, ringBytes } from "./ring.ts";
export { RingWriter } from "./writer.ts";

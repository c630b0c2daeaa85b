export { type RingListener, RingReader } from "./reader.ts";
export { createRing, type Doorbell } from "./ring.ts";
export { RingWriter } from "./writer.ts";

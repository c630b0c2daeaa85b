export { type RingListener, RingReader } from "./reader.ts";
export { type Bell, createRing } from "./ring.ts";
export { RingWriter } from "./writer.ts";

export { type Bound, listen } from "./listen.ts";
export { createPort, type Port } from "./port.ts";
export { type BucketWatch, watchBucket } from "./watch-bucket.ts";

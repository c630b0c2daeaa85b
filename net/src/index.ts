export {
  type BorderOptions,
  type BorderPatterns,
  type BorderRules,
  borderPatterns,
  borderRules,
  borderWords,
  type Claims,
  foreignSite,
} from "./border.ts";
export { dialNats } from "./dial.ts";
export { address, FlagError, list, natsUrl, oneOf, path, port, readFlags } from "./flags.ts";
export { type Bound, clearSocket, listen, listenOnSocket } from "./listen.ts";
export { createPort, type Port } from "./port.ts";
export { type ClockDoubt, type Reading, StoreClock, storeErrorMsMax } from "./store-clock.ts";
export { watchBucket } from "./watch-bucket.ts";

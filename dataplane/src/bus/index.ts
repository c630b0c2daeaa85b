export { type Bus, type BusOptions, type Outcome, openBus, type PeerName } from "./bus.ts";

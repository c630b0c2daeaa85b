export {
  type Connection,
  type ConnectionEvent,
  type ConnectionOptions,
  openConnection,
  rethrown,
} from "./connection.ts";
export {
  command,
  direct,
  directBatch,
  directLast,
  fromLeader,
  publish,
  type StoredMessage,
} from "./direct.ts";
export { openRequests, type Requests, requestsMax, StoreError } from "./requests.ts";

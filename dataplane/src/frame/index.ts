export {
  FrameCursor,
  FrameError,
  type FrameFields,
  type FrameMemory,
  frameLength,
  frameMemory,
  writeFrame,
} from "./frame.ts";
export {
  decodeFailure,
  decodeInvocationMeta,
  encodeFailure,
  encodeInvocationMeta,
  type InvocationMeta,
} from "./meta.ts";
export { packToken, unpackToken } from "./token.ts";

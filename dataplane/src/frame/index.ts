export {
  emptyFrame,
  FrameCursor,
  FrameError,
  type FrameFields,
  type FrameMemory,
  frameLength,
  frameMemory,
  writeFrame,
} from "./frame.ts";

export {
  draft,
  FrameCursor,
  FrameDraft,
  FrameError,
  type FrameFields,
  type FrameMemory,
  frameLength,
  frameMemory,
  writeFrame,
} from "./frame.ts";

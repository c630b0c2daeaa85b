// A handle names one life of one block. It is a number, so it travels in messages and costs no garbage.

declare const blockBrand: unique symbol;

/** Names a block: its number, and how many blocks had that number before. Never given out twice. */
export type Handle = number & { readonly [blockBrand]: true };

/** Bits of a handle that hold the block's number; 32 of generation above them fit in a double exactly. */
const slotBits = 20;
const slotSpan = 2 ** slotBits;

/** Blocks that one pool can have at the same time at most. */
export const blocksLimit = slotSpan;
/** A block number whose generation reached this is not used again, so generations never wrap. */
export const generationMax = 2 ** 32 - 1;

export const slotOf = (handle: Handle): number => handle & (slotSpan - 1);
export const generationOf = (handle: Handle): number => Math.floor(handle / slotSpan);

/** @param generation 0..generationMax */
export function packHandle(slot: number, generation: number): Handle {
  // The one place that makes handles: everybody else gets them from here.
  return (generation * slotSpan + slot) as Handle;
}

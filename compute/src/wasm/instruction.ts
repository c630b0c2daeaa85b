// The instructions of WebAssembly that kernels need: their text and their bytes, from one table.
// Opcodes: WebAssembly core specification 2.0, 5.4 (binary format, instructions).

/** Instructions without an immediate, by their text. Those behind the prefix 0xfd are SIMD. */
const plain = {
  "i32.eqz": [0x45],
  "i32.lt_u": [0x49],
  "i32.add": [0x6a],
  "i32.sub": [0x6b],
  "i32.mul": [0x6c],
  "i32.and": [0x71],
  "i32.shl": [0x74],
  "f32.eq": [0x5b],
  "f32.lt": [0x5d],
  "f32.le": [0x5f],
  "f32.abs": [0x8b],
  "f32.neg": [0x8c],
  "f32.sqrt": [0x91],
  "f32.add": [0x92],
  "f32.sub": [0x93],
  "f32.mul": [0x94],
  "f32.div": [0x95],
  "f32.min": [0x96],
  "f32.max": [0x97],
  unreachable: [0x00],
  drop: [0x1a],
  select: [0x1b],
  end: [0x0b],
  "f32x4.splat": [0xfd, 0x13],
  "f32x4.eq": [0xfd, 0x41],
  "f32x4.lt": [0xfd, 0x43],
  "f32x4.le": [0xfd, 0x45],
  "v128.bitselect": [0xfd, 0x52],
  "f32x4.abs": [0xfd, 0xe0, 0x01],
  "f32x4.neg": [0xfd, 0xe1, 0x01],
  "f32x4.sqrt": [0xfd, 0xe3, 0x01],
  "f32x4.add": [0xfd, 0xe4, 0x01],
  "f32x4.sub": [0xfd, 0xe5, 0x01],
  "f32x4.mul": [0xfd, 0xe6, 0x01],
  "f32x4.div": [0xfd, 0xe7, 0x01],
  "f32x4.min": [0xfd, 0xe8, 0x01],
  "f32x4.max": [0xfd, 0xe9, 0x01],
} as const;

/** Instructions that name a local or a label. */
const indexed = { "local.get": 0x20, "local.set": 0x21, "local.tee": 0x22, br: 0x0c, br_if: 0x0d } as const;

/**
 * Loads and stores: opcode, and alignment as a power of two. Blocks are aligned, columns of a matrix need
 * not be: SIMD says 4 bytes.
 */
const memory = {
  "i32.load": { bytes: [0x28], align: 2 },
  "f32.load": { bytes: [0x2a], align: 2 },
  "f32.store": { bytes: [0x38], align: 2 },
  "v128.load": { bytes: [0xfd, 0x00], align: 2 },
  "v128.load32_splat": { bytes: [0xfd, 0x09], align: 2 },
  "v128.store": { bytes: [0xfd, 0x0b], align: 2 },
} as const;

/** One instruction as a person and as a machine reads it. */
export interface Instruction {
  readonly text: string;
  readonly bytes: readonly number[];
}

/** The text of an instruction without an immediate. */
export type PlainName = keyof typeof plain;

/** An instruction that takes everything from the stack. */
export const op = (name: PlainName): Instruction => ({ text: name, bytes: plain[name] });

/** One that names a local or a label by its index. */
export const at = (name: keyof typeof indexed, index: number): Instruction => ({
  text: `${name} ${index}`,
  bytes: [indexed[name], ...unsigned(index)],
});

/** A load or store at the address on the stack plus `offset` bytes. */
export const access = (name: keyof typeof memory, offset = 0): Instruction => ({
  text: `${name} offset=${offset} align=${2 ** memory[name].align}`,
  bytes: [...memory[name].bytes, memory[name].align, ...unsigned(offset)],
});

/** A constant; its bytes are signed LEB128. */
export const i32 = (value: number): Instruction => ({
  text: `i32.const ${value}`,
  bytes: [0x41, ...signed(value)],
});

/** The text names the bits, so that it says exactly what the bytes do. */
export const f32 = (value: number): Instruction => ({
  text: `f32.const ${floatText(value)}`,
  bytes: [0x43, ...new Uint8Array(Float32Array.of(value).buffer)],
});

/** Takes one of the four elements of a vector. */
export const lane = (index: 0 | 1 | 2 | 3): Instruction => ({
  text: `f32x4.extract_lane ${index}`,
  bytes: [0xfd, 0x1f, index],
});

const blocks = { block: 0x02, loop: 0x03, if: 0x04 } as const;

/** A block of code that yields nothing; `end` closes it. */
export const open = (name: keyof typeof blocks): Instruction => ({ text: name, bytes: [blocks[name], 0x40] });

/** LEB128. @param value 0..2^32-1 */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return bytes;
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    const isLast = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
    bytes.push(isLast ? low : low | 0x80);
    if (isLast) return bytes;
  }
}

function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Object.is(value, -0) ? "-0" : String(value);
}

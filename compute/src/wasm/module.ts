// A module of functions over one imported, shared memory, as bytes.
// Sections: WebAssembly core specification 2.0, 5.5; shared memories: the threads proposal.
import { type Instruction, unsigned } from "./instruction.ts";

/** Types of locals: bytes and counts, one element, four elements. */
export type ValueType = "i32" | "f32" | "v128";

/** A function whose body is written out. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: readonly ValueType[];
  readonly result: ValueType | undefined;
  /** Behind the parameters. */
  readonly locals: readonly ValueType[];
  readonly body: readonly Instruction[];
}

/** Most pages of 64 KiB that a memory can have: a module takes any memory. */
const pagesMax = 65_536;
/** The numbers of the value types in the binary format. */
const types: Readonly<Record<ValueType, number>> = { i32: 0x7f, f32: 0x7d, v128: 0x7b };
/** Magic number and version 1. */
const header = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/**
 * The bytes of a module that exports the functions by their names and imports `env.memory`.
 *
 * Sections are numbered and come in ascending order: types, imports, functions, exports, code. Every
 * function has a type of its own; that some are equal costs a few bytes and no lookup.
 */
export function encodeModule(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const signature = ({ parameters, result }: WasmFunction): number[] => [
    0x60,
    ...vector(parameters.map((type) => [types[type]])),
    ...vector(result === undefined ? [] : [[types[result]]]),
  ];
  const memoryImport = [...name("env"), ...name("memory"), 0x02, 0x03, ...unsigned(0), ...unsigned(pagesMax)];
  return Uint8Array.from([
    ...header,
    ...section(1, vector(functions.map(signature))),
    ...section(2, vector([memoryImport])),
    ...section(3, vector(functions.map((_, i) => unsigned(i)))),
    ...section(7, vector(functions.map((one, i) => [...name(one.name), 0x00, ...unsigned(i)]))),
    ...section(10, vector(functions.map(code))),
  ]);
}

/** Its length, its locals, its instructions, and the end that closes it. */
function code({ locals, body }: WasmFunction): number[] {
  const bytes = [
    ...vector(runs(locals).map(([type, count]) => [...unsigned(count), types[type]])),
    ...body.flatMap((instruction) => instruction.bytes),
    0x0b,
  ];
  return [...unsigned(bytes.length), ...bytes];
}

/** Neighbours of one type are declared together, as assemblers do. */
function runs(locals: readonly ValueType[]): [ValueType, number][] {
  const out: [ValueType, number][] = [];
  for (const type of locals) {
    const last = out.at(-1);
    if (last?.[0] === type) last[1] += 1;
    else out.push([type, 1]);
  }
  return out;
}

const vector = (items: readonly (readonly number[])[]): number[] => [
  ...unsigned(items.length),
  ...items.flat(),
];
const name = (text: string): number[] => vector([...new TextEncoder().encode(text)].map((byte) => [byte]));
const section = (id: number, content: readonly number[]): number[] => [
  id,
  ...unsigned(content.length),
  ...content,
];

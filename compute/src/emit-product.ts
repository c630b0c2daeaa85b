// The matrix product as WebAssembly: tiles of the output whose sums stay in locals while the depth goes by.
import type { ProductKernel } from "./kernel.ts";
import { elementBytes, four, one, vectorBytes, type Width } from "./walk.ts";
import type { Draft } from "./wasm/draft.ts";
import { access, at, f32, type Instruction, i32, op } from "./wasm/instruction.ts";

/**
 * Rows and columns that are computed together: every factor that is loaded serves several sums. The order of
 * one sum is that of the reference, because its products are added one by one, whatever is beside it.
 */
interface Tile {
  readonly rows: number;
  /** Values of this width beside each other. */
  readonly values: number;
  readonly width: Width;
}

/**
 * With two vectors of columns 8 sums and 3 factors: they fit the 16 vector registers of x86-64. One more row
 * would have the engine keep sums in memory.
 */
const rowsTogether = 4;
const vectors: Omit<Tile, "rows"> = { values: 2, width: four };
const scalar: Omit<Tile, "rows"> = { values: 1, width: one };

/** Locals of the whole function. */
interface Places {
  readonly rows: number;
  /** The part of the rows that is computed `rowsTogether`. */
  readonly wholeRows: number;
  readonly row: number;
  /** Bytes of a row of the left matrix, and of the other two. */
  readonly depthBytes: number;
  readonly columnBytes: number;
  /** First element: of the left matrix; of the right one and of the output in the tile's columns. */
  readonly left: number;
  readonly right: number;
  readonly output: number;
}

/**
 * By stripes of columns: that part of the right matrix stays in a cache while all of the left one goes by, in
 * order.
 */
export function emitProduct(draft: Draft, { left, right, output }: ProductKernel): void {
  const [rows, columns] = [draft.of("#rows"), draft.of("#n")];
  const places: Places = {
    rows,
    wholeRows: localOf(draft, at("local.get", rows), i32(-rowsTogether), op("i32.and")),
    row: draft.local("i32"),
    depthBytes: localOf(draft, at("local.get", draft.of("#depth")), i32(2), op("i32.shl")),
    columnBytes: localOf(draft, at("local.get", columns), i32(2), op("i32.shl")),
    left: draft.of(left),
    right: draft.of(right),
    output: draft.of(output),
  };
  const column = draft.local("i32");
  const stripe = (part: Omit<Tile, "rows">): void => {
    emitStripe(draft, places, part);
    draft.advance(column, i32(widthOf(part) / elementBytes));
    for (const place of [places.right, places.output]) draft.advance(place, i32(widthOf(part)));
  };
  const together = -widthOf(vectors) / elementBytes;
  const wholeColumns = localOf(draft, at("local.get", columns), i32(together), op("i32.and"));
  draft.while(column, wholeColumns, () => stripe(vectors));
  draft.while(column, columns, () => stripe(scalar));
}

function localOf(draft: Draft, ...value: readonly Instruction[]): number {
  const index = draft.local("i32");
  draft.add(...value, at("local.set", index));
  return index;
}

/** Bytes of one row of a tile. */
const widthOf = ({ values, width }: Omit<Tile, "rows">): number =>
  values * (width === four ? vectorBytes : elementBytes);

/** Some columns, from the first row to the last. */
function emitStripe(draft: Draft, places: Places, part: Omit<Tile, "rows">): void {
  const { row, rows, wholeRows } = places;
  const [from, to] = [draft.local("i32"), draft.local("i32")];
  draft.add(i32(0), at("local.set", row));
  draft.add(at("local.get", places.left), at("local.set", from));
  draft.add(at("local.get", places.output), at("local.set", to));
  for (const [together, end] of [
    [rowsTogether, wholeRows],
    [1, rows],
  ] as const) {
    const tile = createTile(draft, { ...part, rows: together }, places);
    draft.while(row, end, () => {
      tile(from, to);
      draft.advance(row, i32(together));
    });
  }
}

/** What writes a tile. Both pointers, of the left matrix and of the output, then stand below it. */
function createTile(draft: Draft, tile: Tile, places: Places): (from: number, to: number) => void {
  const { rows, values, width } = tile;
  const { depthBytes, columnBytes } = places;
  const sums = Array.from({ length: rows * values }, () => draft.local(width.type));
  const factors = Array.from({ length: values }, () => draft.local(width.type));
  const lefts = Array.from({ length: rows }, () => draft.local("i32"));
  const [left, right, end] = [draft.local(width.type), draft.local("i32"), draft.local("i32")];
  const bytes = widthOf({ values: 1, width });
  const zero = width === four ? [f32(0), op("f32x4.splat")] : [f32(0)];

  // No fused multiply and add: the product is rounded, as everywhere.
  const step = (): void => {
    for (const [i, factor] of factors.entries())
      draft.add(at("local.get", right), access(`${width.type}.load`, i * bytes), at("local.set", factor));
    for (const [row, from] of lefts.entries()) {
      const load = access(width === four ? "v128.load32_splat" : "f32.load");
      draft.add(at("local.get", from), load, at("local.set", left));
      for (const [i, factor] of factors.entries()) {
        const sum = sums[row * values + i] ?? -1;
        draft.add(at("local.get", sum), at("local.get", left), at("local.get", factor));
        draft.add(op(`${width.prefix}.mul`), op(`${width.prefix}.add`), at("local.set", sum));
      }
      draft.advance(from, i32(elementBytes));
    }
    draft.advance(right, at("local.get", columnBytes));
  };

  // A depth of 0 leaves the sums at 0: the loop ends before it reads anything.
  return (from, to) => {
    for (const sum of sums) draft.add(...zero, at("local.set", sum));
    for (const index of lefts) {
      draft.add(at("local.get", from), at("local.set", index));
      draft.advance(from, at("local.get", depthBytes));
    }
    draft.add(at("local.get", places.right), at("local.set", right));
    const [first = -1] = lefts;
    draft.add(at("local.get", first), at("local.get", depthBytes), op("i32.add"), at("local.set", end));
    draft.while(first, end, step);
    for (const [i, sum] of sums.entries()) {
      const offset = (i % values) * bytes;
      draft.add(at("local.get", to), at("local.get", sum), access(`${width.type}.store`, offset));
      if ((i + 1) % values === 0) draft.advance(to, at("local.get", columnBytes));
    }
  };
}

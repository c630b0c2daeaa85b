// Rows of a CSV text. Every error names the file, the line and the field, and fits on one line.

/** A list that cannot be used. */
export class TraceError extends Error {
  override readonly name = "TraceError";
}

/** One row, by the names of its columns; what cannot be read throws a TraceError. */
export interface CsvRow {
  /** Empty when the list has no such column. */
  text(field: string): string;
  whole(field: string, range: { readonly least: number; readonly most: number }): number;
  /** For columns that only some lists have. */
  wholeOrNone(field: string): number | undefined;
  /** A text that is not empty and in no other row. */
  unique(field: string): string;
  /** An error that names the place, for what only the reader of the row can know. */
  error(field: string, problem: string): TraceError;
}

/** `rowsMax` is without the header. */
export interface RowOptions {
  readonly file: string;
  readonly needed: readonly string[];
  readonly rowsMax: number;
}

/** A line beyond it is no row of a list, but another kind of file. */
const lineCharsMax = 65_536;
/** Of a value in an error. */
const shownCharsMax = 60;

/** @throws TraceError */
export function readRows<T>(
  csv: string,
  { file, needed, rowsMax }: RowOptions,
  read: (row: CsvRow) => T,
): readonly T[] {
  // A byte order mark, and line ends of any system: such lists come out of spreadsheets.
  const lines = csv.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
  // Empty lines at the end are no rows; one in between is a mistake.
  while (lines.at(-1) === "") lines.pop();
  if (lines.length === 0)
    throw new TraceError(`${file}: is empty; its first line must have the columns ${needed.join(", ")}`);
  const columns = columnsOf(cellsOf(lines[0] ?? "", `${file}: line 1`), needed, file);
  if (lines.length - 1 > rowsMax)
    throw new TraceError(`${file}: ${lines.length - 1} rows exceed the limit of ${rowsMax}`);
  const seen = new Set<string>();
  return lines.slice(1).map((line, i) => {
    const place = `${file}: line ${i + 2}`;
    const cells = cellsOf(line, place);
    if (line.trim() === "") throw new TraceError(`${place} is empty`);
    if (cells.length !== columns.size) {
      throw new TraceError(`${place}: ${cells.length} fields where the header has ${columns.size}`);
    }
    return read(rowOf({ cells, columns, place, seen }));
  });
}

/** By name: a list may have more columns, and in any order. */
function columnsOf(
  header: readonly string[],
  needed: readonly string[],
  file: string,
): ReadonlyMap<string, number> {
  const columns = new Map(header.map((field, at) => [field, at]));
  const missing = needed.find((field) => !columns.has(field));
  if (missing !== undefined) {
    throw new TraceError(
      `${file}: line 1: the column ${missing} is missing; the line is ${shown(header.join(","))}`,
    );
  }
  const twice = header.find((field, at) => columns.get(field) !== at);
  if (twice !== undefined) throw new TraceError(`${file}: line 1: the column ${shown(twice)} is there twice`);
  return columns;
}

const quoted = /^\s*"(?<inside>(?:[^"]|"")*)"\s*$/;

/** Cells without spaces around; a cell in double quotes may have commas in it, and a quote as two. */
function cellsOf(line: string, place: string): readonly string[] {
  if (line.length > lineCharsMax) {
    throw new TraceError(`${place}: ${line.length} characters exceed lineCharsMax ${lineCharsMax}`);
  }
  const control = /[^\P{Cc}\t]/u.exec(line);
  if (control !== null) {
    const code = (control[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    throw new TraceError(`${place}: has the control character U+${code}; the list must be text`);
  }
  if (!line.includes('"')) return line.split(",").map((cell) => cell.trim());
  return piecesOf(line).map((cell) => {
    const inside = quoted.exec(cell)?.groups?.["inside"];
    if (inside !== undefined) return inside.replaceAll('""', '"').trim();
    if (cell.includes('"'))
      throw new TraceError(`${place}: ${shown(cell)} has a quote that does not enclose the whole field`);
    return cell.trim();
  });
}

/** Parts between the commas that no quote encloses. */
function piecesOf(line: string): readonly string[] {
  const pieces: string[] = [];
  let open: string[] = [];
  let quotes = 0;
  for (const part of line.split(",")) {
    open.push(part);
    quotes += part.split('"').length - 1;
    if (quotes % 2 === 1) continue;
    pieces.push(open.join(","));
    open = [];
  }
  return open.length === 0 ? pieces : [...pieces, open.join(",")];
}

interface RowParts {
  readonly cells: readonly string[];
  readonly columns: ReadonlyMap<string, number>;
  readonly place: string;
  /** Of all rows before. */
  readonly seen: Set<string>;
}

function rowOf({ cells, columns, place, seen }: RowParts): CsvRow {
  const error = (field: string, problem: string): TraceError =>
    new TraceError(`${place}: ${field} ${problem}`);
  const text = (field: string): string => cells[columns.get(field) ?? -1] ?? "";
  const whole = (
    field: string,
    { least, most }: { readonly least: number; readonly most: number },
  ): number => {
    const written = text(field);
    if (!/^-?\d+(\.0+)?$/.test(written)) {
      throw error(field, `${shown(written)} is not a whole number from ${least} to ${most}`);
    }
    const value = Number(written);
    if (value < least || value > most) throw error(field, `${cut(written)} is not from ${least} to ${most}`);
    return value;
  };
  return {
    text,
    whole,
    wholeOrNone: (field) =>
      text(field) === "" ? undefined : whole(field, { least: 0, most: Number.MAX_SAFE_INTEGER }),
    unique: (field) => {
      const value = text(field);
      if (value === "") throw error(field, "is empty");
      if (seen.has(value)) throw error(field, `${shown(value)} is in an earlier line too`);
      seen.add(value);
      return value;
    },
    error,
  };
}

const shown = (value: string): string => JSON.stringify(cut(value));
const cut = (value: string): string =>
  value.length <= shownCharsMax ? value : `${value.slice(0, shownCharsMax)}… (${value.length} characters)`;

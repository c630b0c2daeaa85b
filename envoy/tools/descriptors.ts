// Reads protobuf descriptors out of Go sources: protoc-gen-go keeps each file's serialized descriptor as a
// string constant.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** Go's escapes of one letter, by the letter (The Go Programming Language Specification, Rune literals). */
const escapes: Readonly<Record<string, number>> = {
  n: 10,
  r: 13,
  t: 9,
  a: 7,
  b: 8,
  f: 12,
  v: 11,
  "\\": 92,
  '"': 34,
  "'": 39,
};

/** The bytes of the concatenated Go string literals at the start of `source`. */
function goString(source: string): Uint8Array {
  const bytes: number[] = [];
  const literal = /\s*\+?\s*"((?:[^"\\]|\\.)*)"/suy;
  for (let found = literal.exec(source); found !== null; found = literal.exec(source))
    pushLiteral(found[1] ?? "", bytes);
  return Uint8Array.from(bytes);
}

/**
 * `\x` and octal escapes are single bytes, `\u` and `\U` code points in UTF-8: a descriptor is bytes, so the
 * difference matters.
 */
function pushLiteral(literal: string, bytes: number[]): void {
  const piece = /\\x([0-9a-f]{2})|\\([0-7]{3})|\\u([0-9a-f]{4})|\\U([0-9a-f]{8})|\\(.)|([^\\]+)/giuy;
  for (const [, hex, octal, short, long, simple, plain] of literal.matchAll(piece)) {
    const point = short ?? long;
    if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (octal !== undefined) bytes.push(Number.parseInt(octal, 8));
    else if (simple !== undefined) bytes.push(escapeOf(simple));
    else if (point !== undefined)
      bytes.push(...Buffer.from(String.fromCodePoint(Number.parseInt(point, 16))));
    else bytes.push(...Buffer.from(plain ?? ""));
  }
}

/** An escape that is not known would shift all bytes behind it: better no descriptor than a wrong one. */
function escapeOf(letter: string): number {
  const code = escapes[letter];
  if (code === undefined) throw new Error(`unknown escape \\${letter} in a Go string`);
  return code;
}

/** Every descriptor in a module's `.pb.go` files, by the name of its `.proto` file. */
export function descriptorsIn(folder: string): Map<string, FileDescriptorProto> {
  const found = new Map<string, FileDescriptorProto>();
  for (const file of globSync("**/*.pb.go", { cwd: folder })) {
    if (/vtproto|testdata/.test(file)) continue;
    const bytes = rawDescriptor(readFileSync(join(folder, file), "utf8"));
    if (bytes === undefined) continue;
    const descriptor = fromBinary(FileDescriptorProtoSchema, bytes);
    found.set(descriptor.name, descriptor);
  }
  return found;
}

/** protoc-gen-go writes a string; before 1.36 it wrote a list of bytes. */
function rawDescriptor(source: string): Uint8Array | undefined {
  const text = /\nconst file_\w+_rawDesc = ""/.exec(source);
  if (text !== null) return goString(source.slice(text.index + text[0].length));
  const list = /\nvar file_\w+_rawDesc = \[\]byte\{([^}]*)\}/.exec(source)?.[1];
  return list === undefined ? undefined : Uint8Array.from(list.match(/0x[0-9a-f]{2}/g) ?? [], Number);
}

/** Annotations for other tools (validation, versioning, documentation): nothing here reads them. */
const annotationFiles = /^(validate|udpa\/annotations|xds\/annotations|envoy\/annotations)\//;

interface WithOptions {
  options?: { $unknown?: unknown[] | undefined } | undefined;
}

/** Drops the annotations' imports and values, which are three quarters of the descriptors. */
export function withoutAnnotations(file: FileDescriptorProto): FileDescriptorProto {
  file.dependency = file.dependency.filter((name) => !annotationFiles.test(name));
  file.publicDependency = [];
  file.weakDependency = [];
  strip(file);
  return file;
}

/** Options are wherever a descriptor nests: in files, messages, fields, enums and their values. */
function strip(value: unknown): void {
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return;
  if ("options" in value) dropUnknown(value as WithOptions);
  for (const child of Object.values(value)) strip(child);
}

function dropUnknown(holder: WithOptions): void {
  if (holder.options !== undefined) delete holder.options.$unknown;
}

/** The roots and all they import, each file after its imports. */
export function closure(
  roots: readonly string[],
  all: ReadonlyMap<string, FileDescriptorProto>,
): FileDescriptorProto[] {
  const ordered = new Map<string, FileDescriptorProto>();
  const visit = (name: string, from: string): void => {
    if (ordered.has(name)) return;
    const file = all.get(name);
    if (file === undefined)
      throw new Error(`${name}, imported by ${from}, is in none of the modules of LOCK.json`);
    for (const dependency of file.dependency) visit(dependency, name);
    ordered.set(name, file);
  };
  for (const root of roots) visit(root, "the roots");
  return [...ordered.values()];
}

// GPUs that a file declares, for machines without a tool that tells of them.
import { wordsOf } from "@voda/stdx";
import * as v from "valibot";
import { checkDevice, type Device, DevicesError } from "./device.ts";

const Declared = v.strictObject({
  uuid: v.string(),
  model: v.string(),
  memoryMib: v.number(),
  vendor: v.picklist(["nvidia", "amd"]),
});

/**
 * `[{"uuid": "GPU-1", "model": "H200", "memoryMib": 143771, "vendor": "nvidia"}]`; an unknown field is an
 * error.
 * @throws DevicesError that names the entry and the field
 */
export function parseDeclared(text: string, file: string): readonly Device[] {
  const entries = readList(text, file);
  return entries.map((entry, at) => {
    const where = `${file}, entry ${at + 1}`;
    const parsed = v.safeParse(Declared, entry);
    if (parsed.success) return checkDevice(parsed.output, where);
    const [issue] = parsed.issues;
    throw new DevicesError(`${where}: ${v.getDotPath(issue) ?? "the entry"}: ${issue.message}`);
  });
}

function readList(text: string, file: string): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, "")); // editors put a byte order mark there, which nobody sees
  } catch (cause) {
    throw new DevicesError(`${file} is no JSON: ${wordsOf(cause)}`, { cause });
  }
  if (!Array.isArray(value)) throw new DevicesError(`${file} is not a list of GPUs`);
  return value;
}

// A module as text, for an assembler that is not ours.
import type { Instruction } from "../src/wasm/instruction.ts";
import type { ValueType, WasmFunction } from "../src/wasm/module.ts";

/** What `encodeModule` makes bytes of. */
export function printModule(functions: readonly WasmFunction[]): string {
  const text = functions.map((one) => {
    const list = (word: string, of: readonly ValueType[]): string =>
      of.length === 0 ? "" : ` (${word} ${of.join(" ")})`;
    const result = one.result === undefined ? "" : ` (result ${one.result})`;
    const head = `  (func (export "${one.name}")${list("param", one.parameters)}${result}${list("local", one.locals)}`;
    return `${head}\n${indented(one.body)}  )`;
  });
  return `(module\n  (import "env" "memory" (memory 0 65536 shared))\n${text.join("\n")}\n)\n`;
}

function indented(body: readonly Instruction[]): string {
  let depth = 2;
  let text = "";
  for (const instruction of body) {
    if (instruction.text === "end") depth -= 1;
    text += `${"  ".repeat(depth)}${instruction.text}\n`;
    if (instruction.text === "block" || instruction.text === "loop") depth += 1;
  }
  return text;
}

// A function of WebAssembly while it is written.
import { at, type Instruction, op, open } from "./instruction.ts";
import type { ValueType, WasmFunction } from "./module.ts";

export class Draft {
  readonly #parameters: ValueType[] = [];
  readonly #locals: ValueType[] = [];
  readonly #body: Instruction[] = [];
  readonly #indexes = new Map<string, number>();

  /** All parameters come before the first local. */
  parameter(name: string, type: ValueType): void {
    this.#indexes.set(name, this.#parameters.push(type) - 1);
  }

  /** Index of a parameter. */
  of(name: string): number {
    const index = this.#indexes.get(name);
    if (index === undefined) throw new RangeError(`no parameter "${name}"`);
    return index;
  }

  /** A new local, 0 at first. */
  local(type: ValueType): number {
    return this.#parameters.length + this.#locals.push(type) - 1;
  }

  add(...instructions: readonly Instruction[]): void {
    this.#body.push(...instructions);
  }

  /** Adds to a local. */
  advance(index: number, ...by: readonly Instruction[]): void {
    this.add(at("local.get", index), ...by, op("i32.add"), at("local.set", index));
  }

  /** Runs `body` while the local `index` is below the local `end`, as unsigned numbers. */
  while(index: number, end: number, body: () => void): void {
    this.add(open("block"), open("loop"));
    this.add(at("local.get", index), at("local.get", end), op("i32.lt_u"), op("i32.eqz"), at("br_if", 1));
    body();
    this.add(at("br", 0), op("end"), op("end"));
  }

  finish(name: string, result?: ValueType): WasmFunction {
    return { name, parameters: this.#parameters, result, locals: this.#locals, body: this.#body };
  }
}

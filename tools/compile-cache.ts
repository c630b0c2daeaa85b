import { resolve } from "node:path";

/** What was compiled once is not compiled again, in any program that is started from here on. */
export function keepCompiled(): void {
  process.env["NODE_COMPILE_CACHE"] ??= resolve(".voda/compile-cache");
}

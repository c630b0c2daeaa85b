// Imported first by what starts programs of this repository again and again: what was compiled once is not
// compiled again, in any of them.
import { resolve } from "node:path";

process.env["NODE_COMPILE_CACHE"] ??= resolve(".voda/compile-cache");

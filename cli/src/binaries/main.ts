// The program that setup runs: installs the server binaries.
import { installBinaries } from "./install.ts";

const missing = installBinaries();
for (const line of missing) console.error(`setup: ${line}`);
process.exitCode = missing.length > 0 ? 1 : 0;

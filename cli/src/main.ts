// The program behind the bin `voda`.
import { exitCodes } from "./failure.ts";
import { run } from "./program.ts";

// Whoever reads may have enough (`| head`), and a file may be on a full disk: neither is an error of the
// program. The first ends it, in order where it runs until it is asked to stop; the second costs the words.
process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => {
  if (code === "EPIPE" && !process.emit("SIGTERM")) process.exit();
  if (code !== "EPIPE") process.once("exit", () => (process.exitCode ||= exitCodes.error));
});
process.stderr.on("error", () => undefined);

process.exitCode = await run(process.argv.slice(2), {
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
});

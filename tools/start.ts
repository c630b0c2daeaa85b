// npm start [-- flags of `voda up`]: the mesh with the examples.
import { run } from "../cli/src/program.ts";

process.exitCode = await run(["up", "--config", "examples/voda.config.ts", ...process.argv.slice(2)], {
  out: (line) => console.log(line),
  err: (line) => console.error(line),
});

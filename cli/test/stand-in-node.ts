// Obeys the contract of a node as far as the supervisor sees it. FAIL=<id>:<code> makes that node end with
// the code; it does not serve while its folder has a file `hold`.
import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  strict: false,
  options: {
    "node-id": { type: "string" },
    "ingress-port": { type: "string" },
    "data-dir": { type: "string" },
  },
});
const id = String(values["node-id"]);

const [failing, code] = (process.env["FAIL"] ?? "").split(":");
if (failing === id) {
  console.error("cannot open the log: no such stream");
  process.exit(Number(code));
}
console.log("not JSON, and nobody's business"); // as an agent's file may print while it is loaded
while (existsSync(join(String(values["data-dir"]), "hold"))) await delay(20);
createServer((_, response) => response.end(id)).listen(Number(values["ingress-port"]), "127.0.0.1", () =>
  process.send?.({ ready: true, node: id }),
);
process.on("SIGTERM", () => process.exit(0));

// What `voda up` does, with stand-ins for voda's own programs: arguments are the data directory, the ready
// file, the port.
import { fileURLToPath } from "node:url";
import { failureOf } from "../src/failure.ts";
import { runMesh } from "../src/up/run.ts";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const [dataDir = "", readyFile = "", ingressPort = "0"] = process.argv.slice(2);

try {
  await runMesh({
    dataDir,
    readyFile,
    nodes: 2,
    ingressPort: Number(ingressPort),
    durability: "process",
    passedOn: { controlplane: {}, node: () => ({}) },
    programs: { controlplane: at("./stand-in-controlplane.ts"), node: at("./stand-in-node.ts") },
    serve: async (mesh) => {
      await mesh.startControlplane();
      await mesh.startNodes();
    },
    accompany: () => Promise.resolve(undefined),
    say: (line) => console.error(line),
  });
} catch (error) {
  console.error(failureOf(error).line);
  process.exitCode = 1;
}

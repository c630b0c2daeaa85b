// npm run generate: writes everything under */gen from its sources, and the pictures of docs/ARCHITECTURE.md.
import { mkdirSync, writeFileSync } from "node:fs";
import { drawRooms } from "./diagrams.ts";
import { fence } from "./fence.ts";
import { run } from "./run.ts";

run("buf", ["generate", "proto"]);
run("buf", ["generate", "examples/proto", "--template", "examples/buf.gen.yaml"]);
mkdirSync("tools/gen", { recursive: true });
const lines = fence().map((override) => JSON.stringify(override));
writeFileSync("tools/gen/oxlint.json", `{ "overrides": [\n${lines.join(",\n")}\n] }\n`);
drawRooms();

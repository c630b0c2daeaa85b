// npm run generate: writes everything under */gen from its sources.
import { run } from "./run.ts";

run("buf", ["generate", "proto"]);
run("buf", ["generate", "examples/proto", "--template", "examples/buf.gen.yaml"]);

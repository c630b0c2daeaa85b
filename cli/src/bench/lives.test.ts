import assert from "node:assert/strict";
import { test } from "node:test";
import { livesOf } from "./lives.ts";

test("each life of a node counts once, whatever else a log has", () => {
  const line = (msg: string, incarnation?: string) =>
    JSON.stringify({ level: 30, node: "n1", incarnation, msg });
  const log = [
    line("node joined", "a"),
    "supervisor: controlplane was ended by SIGKILL",
    line("node lost", "a"),
    line("ready"),
    line("node lost", "a"),
    line("node lapsed", "b"),
    line("node returned", "c"),
    "",
  ].join("\n");
  assert.deepEqual(livesOf(log), { lost: 1, lapsed: 1 });
});

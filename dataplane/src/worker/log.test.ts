import assert from "node:assert/strict";
import { test } from "node:test";
import type { FromWorker, LogEntry, LogLevel } from "../threads/index.ts";
import { logCharsMax, loggerOf, logLinesPerSecondMax, openAgentLog } from "./log.ts";

const origin = { agent: "a", key: "k", method: "m", call: 7 };

function rig() {
  const said: [LogLevel, LogEntry][] = [];
  let nowMs = 0;
  const log = openAgentLog(
    (message: FromWorker) => {
      assert.ok(message.type === "log");
      said.push([message.level, JSON.parse(message.line) as LogEntry]);
    },
    () => nowMs,
  );
  return { log, said, pass: (ms: number) => (nowMs += ms) };
}

test("a line has its level, whose it is, and the agent's fields apart from the node's words", () => {
  const { log, said } = rig();
  loggerOf(log, origin).warn("low", { level: 1, agent: "another" });
  assert.deepEqual(said, [
    ["warn", { speaker: origin, message: "low", facts: {}, fields: { level: 1, agent: "another" } }],
  ]);
});

test("fields without a JSON form, too large, or of other types than they should be, leave the line", () => {
  const { log, said } = rig();
  const ring: { self?: object } = {};
  ring.self = ring;
  const logger = loggerOf(log, origin);
  const getter = Object.defineProperty({}, "x", {
    enumerable: true,
    get: () => assert.fail("read"),
  });
  for (const fields of [ring, { n: 10n }, { text: "x".repeat(logCharsMax) }, getter])
    logger.info("said", fields);
  assert.ok(said.every(([, { message, fields }]) => message === "said" && fields && "leftOut" in fields));
  const mistyped = logger as { info(message: unknown): void };
  mistyped.info({ a: 1 });
  assert.equal(said.at(-1)?.[1].message, "[object Object]");
  logger.info("y".repeat(2 * logCharsMax));
  assert.equal(said.at(-1)?.[1].message.length, logCharsMax);
});

test("an agent has so many lines in a second; the rest is counted, and nobody else's are touched", () => {
  const { log, said, pass } = rig();
  const noisy = loggerOf(log, origin);
  for (let i = 0; i < logLinesPerSecondMax + 5; i += 1) noisy.info(`line ${i}`);
  assert.equal(said.length, logLinesPerSecondMax);
  loggerOf(log, { ...origin, agent: "b" }).info("calm");
  assert.equal(said.at(-1)?.[1].message, "calm");
  pass(1_000);
  noisy.info("again");
  assert.deepEqual(
    said.slice(-2).map(([level, { message }]) => [level, message]),
    [
      ["warn", `5 lines left out: more than logLinesPerSecondMax ${logLinesPerSecondMax}`],
      ["info", "again"],
    ],
  );
});

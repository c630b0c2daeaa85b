import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogLevel } from "@voda/proto/log-line";
import type { FromWorker, LogEntry } from "../threads/index.ts";
import {
  logCharsMax,
  loggerOf,
  logLinesPerSecondMax,
  openAgentLog,
  threadLogLinesPerSecondMax,
} from "./log.ts";

const origin = { agent: "a", key: "k", method: "m", call: 7 };

function rig() {
  const said: [LogLevel, LogEntry][] = [];
  let nowMs = 0;
  let timers: { atMs: number; end: () => void }[] = [];
  const log = openAgentLog(
    (message: FromWorker) => {
      assert.ok(message.type === "log");
      said.push([message.level, JSON.parse(message.line) as LogEntry]);
    },
    { nowMs: () => nowMs, after: (ms, end) => timers.push({ atMs: nowMs + ms, end }) },
  );
  const pass = (ms: number): void => {
    nowMs += ms;
    const due = timers.filter(({ atMs }) => atMs <= nowMs);
    timers = timers.filter(({ atMs }) => atMs > nowMs);
    for (const { end } of due) end();
  };
  /** Time without timers, as for a loop that never awaits. */
  const hold = (ms: number): void => void (nowMs += ms);
  return { log, said, pass, hold, timers: () => timers.length };
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
  let asked = 0;
  const growing = { toJSON: () => "x".repeat((asked += 1) > 1 ? 10 * logCharsMax : 1) };
  logger.info("grows", growing);
  assert.equal(said.at(-1)?.[1].fields, "x");
  const mistyped = logger as { info(message: unknown): void };
  mistyped.info({ a: 1 });
  assert.equal(said.at(-1)?.[1].message, "[object Object]");
  logger.info("y".repeat(2 * logCharsMax));
  assert.equal(said.at(-1)?.[1].message.length, logCharsMax);
});

const leftOut = (lines: number): string =>
  `${lines} lines left out: more than logLinesPerSecondMax ${logLinesPerSecondMax}`;

test("a session has so many lines in a second; a timer tells how many were left out", () => {
  const { log, said, pass, timers } = rig();
  const noisy = loggerOf(log, origin);
  for (let i = 0; i < logLinesPerSecondMax + 5; i += 1) noisy.info(`line ${i}`);
  assert.equal(said.length, logLinesPerSecondMax);
  pass(1_000);
  assert.deepEqual(said.at(-1), [
    "warn",
    { speaker: { agent: "a", key: "k" }, message: leftOut(5), facts: {} },
  ]);
  noisy.info("again");
  assert.equal(said.at(-1)?.[1].message, "again");
  pass(1_000);
  assert.equal(said.at(-1)?.[1].message, "again");
  assert.equal(timers(), 0);
});

test("what a session prints leaves out no line of the node, no error, and none of another session", () => {
  const { log, said } = rig();
  const noisy = loggerOf(log, origin);
  for (let i = 0; i < logLinesPerSecondMax + 5; i += 1) noisy.info(`line ${i}`);
  log.say("error", "handler failed", {}, origin);
  assert.equal(said.at(-1)?.[1].message, "handler failed");
  noisy.error("the agent's own");
  assert.equal(said.at(-1)?.[1].message, "the agent's own");
  loggerOf(log, { ...origin, key: "other" }).info("calm");
  assert.equal(said.at(-1)?.[1].message, "calm");
  for (let i = 0; i < logLinesPerSecondMax + 5; i += 1) noisy.error(`error ${i}`);
  log.logStray("nobody awaits it", {});
  assert.equal(said.at(-1)?.[1].message, "nobody awaits it");
});

test("errors that no call answers for have a bound of their own", () => {
  const { log, said, pass } = rig();
  for (let i = 0; i < logLinesPerSecondMax + 5; i += 1) log.logStray("nobody awaits it", {});
  assert.equal(said.length, logLinesPerSecondMax);
  log.say("error", "handler failed", {}, origin);
  assert.equal(said.at(-1)?.[1].message, "handler failed");
  pass(1_000);
  assert.equal(said.at(-1)?.[1].message, leftOut(5));
});

test("all sessions of a thread have so many lines together, errors apart; one line tells what was left out", () => {
  const { log, said, pass } = rig();
  for (let i = 0; i < threadLogLinesPerSecondMax + 7; i += 1)
    loggerOf(log, { ...origin, key: `k${i}` }).info("a few each");
  assert.equal(said.length, threadLogLinesPerSecondMax);
  loggerOf(log, origin).error("an error");
  assert.equal(said.at(-1)?.[1].message, "an error");
  pass(1_000);
  const bound = `threadLogLinesPerSecondMax ${threadLogLinesPerSecondMax} of all sessions`;
  assert.deepEqual(said.slice(threadLogLinesPerSecondMax + 1), [
    ["warn", { speaker: {}, message: `7 lines left out: more than ${bound}`, facts: {} }],
  ]);
});

test("what was left out is told when the session closes, and by a loop that lets no timer run", () => {
  const { log, said, hold, pass } = rig();
  const noisy = loggerOf(log, origin);
  const excess = (): void => {
    for (let i = 0; i < logLinesPerSecondMax + 5; i += 1) noisy.info(`line ${i}`);
  };
  excess();
  log.settle({ agent: "a", key: "other" });
  assert.equal(said.length, logLinesPerSecondMax);
  log.settle(origin);
  assert.equal(said.at(-1)?.[1].message, leftOut(5));
  noisy.info("still too much");
  hold(1_000);
  noisy.info("again");
  assert.deepEqual(
    said.slice(-2).map(([, { message }]) => message),
    [leftOut(1), "again"],
  );
  excess();
  log.settle();
  const before = said.length;
  pass(1_000);
  assert.equal(said.length, before);
});

test("errors among the fields have their message, stack and what else they carry", () => {
  const { log, said } = rig();
  const error = Object.assign(new TypeError("no stock"), { code: 7 });
  const logger = loggerOf(log, origin);
  logger.error("failed", error);
  logger.error("failed", { e: error, list: [error] });
  const shown = { code: 7, message: "TypeError: no stock", stack: error.stack };
  assert.deepEqual(
    said.map(([, { fields }]) => fields),
    [shown, { e: shown, list: [shown] }],
  );
});

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { sourceScheme } from "@voda/proto/wire";
import { describeThrown, thrownCharsMax } from "./thrown.ts";

/** A port that nobody listens at. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

test("a fetch that fails says what refused it", async () => {
  const port = await closedPort();
  const error: unknown = await fetch(`http://127.0.0.1:${port}/`).catch((reason: unknown) => reason);
  const { message } = describeThrown(error);
  assert.match(
    message,
    new RegExp(`^TypeError: fetch failed; cause: Error: .*ECONNREFUSED 127.0.0.1:${port}`),
  );
});

test("causes are named in their order, whatever they are, each once and not for ever", () => {
  const inner = Object.assign(new Error("no route"), { code: "EHOSTUNREACH" });
  const outer = new Error("no price", { cause: new RangeError("no shop", { cause: inner }) });
  assert.equal(
    describeThrown(outer).message,
    "Error: no price; cause: RangeError: no shop; cause: Error: no route (EHOSTUNREACH)",
  );
  assert.equal(describeThrown(new Error("a", { cause: "b" })).message, "Error: a; cause: 'b'");
  const own = new Error("its own");
  own.cause = own;
  assert.equal(describeThrown(own).message, "Error: its own");
  let deep = new Error("0");
  for (let i = 1; i < 1_000; i += 1) deep = new Error(String(i), { cause: deep });
  assert.equal(describeThrown(deep).message.split("; cause: ").length, 5);
  const long = new Error("x".repeat(thrownCharsMax), { cause: new Error("y") });
  assert.equal(describeThrown(long).message.length, thrownCharsMax);
});

test("the place is the agent's own, of the error or else of a cause, and the frames are those of all", () => {
  const thrown = (message: string, frames: string[], cause?: Error): Error =>
    Object.assign(new Error(message, { cause }), {
      stack: [`Error: ${message}`, ...frames.map((frame) => `    at ${frame}`)].join("\n"),
    });
  const own = (place: string): string => `f (${sourceScheme}${place})`;
  const inner = thrown("refused", [own("node_modules/pg/index.js:9:9"), own("src/db.ts:3:7")]);
  const middle = thrown("no row", ["node:internal/process/task_queues:1:1"], inner);
  const place = (error: Error): string | undefined => describeThrown(error).at;
  assert.equal(place(thrown("no price", [], middle)), "src/db.ts:3:7");
  assert.equal(place(thrown("no price", [own("shop.ts:1:1")], middle)), "shop.ts:1:1");
  const { stack } = describeThrown(thrown("no price", [own("shop.ts:1:1")], middle));
  assert.match(
    stack,
    /^Error: no price\n +at f \(shop\.ts:1:1\)\ncause: Error: no row\n.*\ncause: .*src\/db\.ts:3:7/s,
  );
});

test("errors of several attempts are told by the first, and what throws when it is asked is left out", () => {
  const several = new AggregateError([new Error("refused at ::1"), new Error("refused at 127.0.0.1")]);
  assert.equal(describeThrown(several).message, "AggregateError; cause: Error: refused at ::1");
  const throwing = Object.defineProperty(new Error("x"), "cause", {
    get() {
      throw new Error("looked at");
    },
  });
  assert.equal(describeThrown(throwing).message, "Error: x");
});

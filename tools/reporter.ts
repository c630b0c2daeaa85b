// The spec reporter without its line for each passed test, and an error when no test ran at all.
import { Readable } from "node:stream";
import { spec, type TestEvent } from "node:test/reporters";

const quiet: ReadonlySet<string> = new Set([
  "test:pass",
  "test:start",
  "test:enqueue",
  "test:dequeue",
  "test:complete",
]);

async function* important(source: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
  let tests = 0;
  for await (const event of source) {
    if (event.type === "test:pass" || event.type === "test:fail") tests += 1;
    if (!quiet.has(event.type)) yield event;
  }
  if (tests === 0) {
    console.error("no test ran: a file without a test is an error");
    process.exitCode = 1;
  }
}

export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  yield* Readable.from(important(source)).pipe(new spec());
}

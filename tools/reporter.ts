// The spec reporter without its line for each passed test. It is an error when no test ran at all, and when
// listeners pile up: here, where tests run in this process, and in those of files that have one of their own.
import { Readable } from "node:stream";
import { spec, type TestEvent } from "node:test/reporters";

const quiet: ReadonlySet<string> = new Set([
  "test:pass",
  "test:start",
  "test:enqueue",
  "test:dequeue",
  "test:complete",
]);

/** What Node says when an emitter gets listener after listener: memory that is never given back. */
const leak = /^(\(node:\d+\) )?MaxListenersExceededWarning/m;

process.on("warning", ({ stack }) => hear(String(stack)));

function hear(said: string): void {
  if (!leak.test(said)) return;
  console.error(`listeners pile up, which is an error: ${said.trim()}`);
  process.exitCode = 1;
}

async function* important(source: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
  let tests = 0;
  for await (const event of source) {
    if (event.type === "test:pass" || event.type === "test:fail") tests += 1;
    if (event.type === "test:stderr") hear(event.data.message);
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

// A reporter for the runner: how long each file's tests took, one line of JSON per test of the top level.
import type { TestEvent } from "node:test/reporters";

export default async function* times(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const { type, data } of source)
    if ((type === "test:pass" || type === "test:fail") && data.nesting === 0 && data.file !== undefined)
      yield `${JSON.stringify({ file: data.file, ms: data.details.duration_ms })}\n`;
}

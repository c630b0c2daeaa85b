/** Says what must be true; a failure is our bug, never the caller's input. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** The end of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`);
}

/** A bug of ours; nobody catches it to go on. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

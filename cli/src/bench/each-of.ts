// Work for each of many sessions.

/** Calls at a time. */
const parallel = 16;

export async function eachOf(keys: Iterable<string>, work: (key: string) => Promise<void>): Promise<void> {
  const left = keys[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = left.next(); next.done !== true; next = left.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

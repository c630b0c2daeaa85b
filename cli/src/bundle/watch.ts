import { statSync } from "node:fs";
import { inputOptions } from "./bundle.ts";

/** An editor empties a file before it writes it, a tool writes several: what lies between is no code. */
const settleMs = 50;

/** A file that was emptied is about to be written: for that is waited, however busy the machine is. */
const emptyMsMax = 2_000;

/** After the first build, until saves are certainly heard of. */
const heardMs = 1_000;

/**
 * Calls `changed` whenever a file of the config was saved, one call at a time. `isStale`: what it has now, if
 * it compiles, is news too.
 */
export async function watchConfig(
  config: string,
  isStale: boolean,
  changed: () => Promise<void>,
): Promise<AsyncDisposable> {
  const { watch } = await import("rolldown");
  const isSaved = savedSince(config);
  const watcher = watch({
    ...inputOptions(config),
    watch: { skipWrite: true, exclude: "**/node_modules/**", buildDelay: settleMs },
  });
  let isFirst = true;
  let turn: Promise<void> = Promise.resolve();
  let check: NodeJS.Timeout | undefined;
  const emptied = new Set<string>();
  const report = (): void => {
    turn = turn.then(changed);
  };
  watcher.on("change", (file) => {
    if (isEmpty(file)) emptied.add(file);
    else emptied.delete(file);
  });
  watcher.on("event", async (event) => {
    if (event.code !== "BUNDLE_END" && event.code !== "ERROR") return;
    await event.result.close();
    clearTimeout(check);
    if ([...emptied].some(isEmpty)) check = setTimeout(report, emptyMsMax);
    else if (!isFirst || (isStale && event.code === "BUNDLE_END")) report();
    // saves are heard of once the first build is over: what was saved during it would wait for the next one
    else check = setTimeout(() => isSaved() && report(), heardMs);
    isFirst = false;
  });
  return {
    [Symbol.asyncDispose]: async () => {
      clearTimeout(check);
      await watcher.close();
      await turn;
    },
  };
}

const isEmpty = (file: string): boolean => statSync(file, { throwIfNoEntry: false })?.size === 0;

/** Whether the file has another time than it has now. */
function savedSince(file: string): () => boolean {
  const timeOf = (): number | undefined => statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  const before = timeOf();
  return () => timeOf() !== before;
}

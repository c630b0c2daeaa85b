import { inputOptions } from "./bundle.ts";

/** An editor empties a file before it writes it, a tool writes several: what lies between is no code. */
const settleMs = 50;

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
  const watcher = watch({
    ...inputOptions(config),
    watch: { skipWrite: true, exclude: "**/node_modules/**", buildDelay: settleMs },
  });
  let isFirst = true;
  let turn: Promise<void> = Promise.resolve();
  watcher.on("event", async (event) => {
    if (event.code !== "BUNDLE_END" && event.code !== "ERROR") return;
    await event.result.close();
    if (!isFirst || (isStale && event.code === "BUNDLE_END")) turn = turn.then(changed);
    isFirst = false;
  });
  return {
    [Symbol.asyncDispose]: async () => {
      await watcher.close();
      await turn;
    },
  };
}

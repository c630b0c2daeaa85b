import { inputOptions } from "./bundle.ts";

/** Calls `changed` whenever a file of the config was saved, one call at a time. */
export async function watchConfig(config: string, changed: () => Promise<void>): Promise<AsyncDisposable> {
  const { watch } = await import("rolldown");
  const watcher = watch({
    ...inputOptions(config),
    watch: { skipWrite: true, exclude: "**/node_modules/**" },
  });
  let first = true;
  let turn: Promise<void> = Promise.resolve();
  watcher.on("event", async (event) => {
    if (event.code !== "BUNDLE_END" && event.code !== "ERROR") return;
    await event.result.close();
    if (!first) turn = turn.then(changed);
    first = false;
  });
  return {
    [Symbol.asyncDispose]: async () => {
      await watcher.close();
      await turn;
    },
  };
}

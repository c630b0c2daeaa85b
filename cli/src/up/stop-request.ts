/** Ctrl-C and SIGTERM, as a promise. */
export interface StopRequest extends Disposable {
  readonly asked: Promise<"stopped">;
}

const impatientExitCode = 130;
/** A terminal and a parent may both deliver one Ctrl-C. */
const sameSignalMs = 500;

/** A second signal ends the process at once; the guards of the children then kill what still runs. */
export function stopRequest(): StopRequest {
  const { promise, resolve } = Promise.withResolvers<"stopped">();
  let firstMs: number | undefined;
  const onSignal = (): void => {
    const now = performance.now();
    firstMs ??= now;
    if (now - firstMs > sameSignalMs) process.exit(impatientExitCode);
    resolve("stopped");
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return {
    asked: promise,
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}

// Promises, by what they can do: those of another realm or library are no instances of this one's `Promise`.

/** Whether it is awaited like a promise. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return "then" in value && typeof value.then === "function";
}

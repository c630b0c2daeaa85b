// Agents run on the Node that voda brings, their authors' tests on whichever they have: what the rooms below
// use of the language and Node 20 does not have yet.

type Bytes = Uint8Array;

const missing: readonly [on: object, name: string, value: unknown][] = [
  [
    Promise,
    "withResolvers",
    function withResolvers<T>() {
      let resolve: unknown;
      let reject: unknown;
      const promise = new Promise<T>((...ways) => {
        [resolve, reject] = ways;
      });
      return { promise, resolve, reject };
    },
  ],
  [
    Uint8Array.prototype,
    "toHex",
    function toHex(this: Bytes) {
      return Buffer.from(this).toString("hex");
    },
  ],
  [
    Uint8Array.prototype,
    "toBase64",
    function toBase64(this: Bytes, { alphabet = "base64" }: { alphabet?: "base64" | "base64url" } = {}) {
      return Buffer.from(this).toString(alphabet);
    },
  ],
];

/** Leaves alone what is there. */
export function fillIn(): void {
  for (const [on, name, value] of missing)
    if (!(name in on)) Object.defineProperty(on, name, { value, configurable: true, writable: true });
}

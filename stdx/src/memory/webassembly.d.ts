// TypeScript declares WebAssembly only together with the browser's DOM, which Node does not have.
export {};

declare global {
  namespace WebAssembly {
    class Memory {
      constructor(descriptor: { initial: number; maximum: number; shared: true });
      readonly buffer: SharedArrayBuffer;
      /** Pages of 64 KiB; returns how many there were. */
      grow(pages: number): number;
    }
    interface Module {
      readonly [Symbol.toStringTag]: string;
    }
    const Module: new (bytes: Uint8Array<ArrayBuffer>) => Module;
    class Instance {
      constructor(module: Module, imports: Readonly<Record<string, Readonly<Record<string, Memory>>>>);
      readonly exports: Readonly<Record<string, unknown>>;
    }
  }
}

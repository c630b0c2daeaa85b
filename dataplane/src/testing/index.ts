export type { LogLine } from "./log-book.ts";
export { MemoryMesh, type MeshOptions } from "./mesh.ts";
export type { BuriedLetter } from "./store.ts";

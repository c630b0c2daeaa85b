export { MemoryMesh, type MeshOptions } from "./mesh.ts";
export type { BuriedLetter } from "./store.ts";

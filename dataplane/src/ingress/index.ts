export { createEdgeProof, type EdgeProof } from "./edge-proof.ts";
export { type Ingress, type IngressOptions, openIngress } from "./ingress.ts";
export { createRoutes } from "./routes.ts";
export type { Route, Routes } from "./target.ts";

export { type Config, readConfig } from "./config.ts";
export { type ControlPlane, openControlPlane } from "./control-plane.ts";

export { DevicesError } from "./device.ts";
export { createDeviceBooks, type DeviceBooks } from "./device-books.ts";
export { discoverDevices } from "./discover.ts";
export { deviceEnvironment } from "./environment.ts";

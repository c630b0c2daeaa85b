export { type Admission, createAdmission } from "./admission.ts";
export { openBundles } from "./bundles.ts";
export { type CommandedSessions, carryOut } from "./commands.ts";
export { watchDeployments } from "./deployments.ts";
export {
  createDeviceBooks,
  DevicesError,
  deviceEnvironment,
  discoverDevices,
} from "./devices/index.ts";
export { type Grants, openGrants, type Verdict } from "./grants.ts";
export { type Activated, openReports, type Reports } from "./reports.ts";
export { openTrials } from "./trials.ts";
export type { DescribedSession } from "./waits.ts";

// The next version of one agent of `faults.config.ts`; the others stay as they are.
import { defineConfig } from "voda/config";
import { versionedAgent } from "./versioned.ts";

export default defineConfig({ agents: [versionedAgent(2)] });

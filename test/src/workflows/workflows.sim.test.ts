// Workflows (docs/workflows.md) whose node dies before each step of what happens.
import { test } from "node:test";
import { exploreFate } from "./scenario.ts";

for (const fate of ["done", "failed", "cancelled", "odd"] as const)
  test(`a workflow is ${fate}, and each step of it done once, wherever its node dies`, async (context) => {
    const { runs, steps } = await exploreFate(fate, 1);
    context.diagnostic(`${runs} runs, ${steps} steps`);
  });

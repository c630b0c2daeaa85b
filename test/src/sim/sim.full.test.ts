// More schedules, and canaries that look for their violations from the start: how rare each is.
import { test } from "node:test";
import { canaries } from "./canaries.ts";
import { canarySchedulesMax, findViolation, testSchedules } from "./suite.ts";

testSchedules(5000);

test("each rule's violation is found without a known seed", async (context) => {
  const needed: [string, number][] = [];
  for (const rule of Object.keys(canaries)) needed.push([rule, await findViolation(rule, 1)]);
  needed.sort(([, one], [, other]) => other - one);
  context.diagnostic(`schedules needed, of ${canarySchedulesMax}: ${needed.flat().join(" ")}`);
});

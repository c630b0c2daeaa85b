import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { plainCall } from "../../test/call.ts";
import type { Call, Failed } from "../call/index.ts";
import type { Verdict } from "../controls/index.ts";
import { createCallersPort } from "./mesh-port.ts";

/** What becomes of a call whose grant is judged so. */
function checked(verdict: Verdict): Promise<Call | Failed> {
  const grants = { verify: () => Promise.resolve(verdict) };
  const port = createCallersPort({ grants, log: pino({ level: "silent" }) });
  return new Promise((resolve) => port.check(plainCall(1, 1000), "g", resolve));
}

test("a grant that is refused is refused for good, one that cannot be looked at may be sent again", async () => {
  const refused = await checked({ type: "refused", message: "no" });
  assert.deepEqual("failure" in refused && refused.failure.code, "permission_denied");
  const away = await checked({ type: "unavailable", message: "the store does not answer" });
  assert.deepEqual("failure" in away && away.failure.code, "unavailable");
  const granted = await checked({ type: "granted", devices: [] });
  assert.deepEqual("devices" in granted && granted.devices, []);
});

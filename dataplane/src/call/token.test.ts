import assert from "node:assert/strict";
import { test } from "node:test";
import { sessionToken } from "@voda/proto/session";
import { tokenOf } from "./token.ts";

test("a token that is remembered is the name's own, whatever its key holds", () => {
  for (const key of ["a", "", "a\0b", "\0", "b/ü"])
    for (const agent of ["counter", "other"]) {
      const name = { namespace: "default", agent, key };
      assert.deepEqual([tokenOf(name), tokenOf(name)], [sessionToken(name), sessionToken(name)]);
    }
});

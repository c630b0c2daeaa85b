import assert from "node:assert/strict";
import { test } from "node:test";
import { formatNatsLogin, parseNatsLogin } from "./nats-login.ts";

test("a login is read as it was written, with or without the end of the line", () => {
  const login = { user: "voda", pass: "p:w" };
  assert.deepEqual(parseNatsLogin(formatNatsLogin(login)), login);
  assert.deepEqual(parseNatsLogin("voda:p:w"), login);
});

test("what is no login is refused without showing it", () => {
  for (const text of ["", "voda", "voda:", ":secret", "voda:secret\nmore", "a b:secret"])
    assert.throws(() => parseNatsLogin(text), { message: "a login is one line, user:password" });
});

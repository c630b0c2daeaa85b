import assert from "node:assert/strict";
import { test } from "node:test";
import { ownPortProblem } from "./own-ports.ts";

const options = { secret: "s".repeat(64), allowHosts: ["controlplane.internal"] };
const problem = (headers: Readonly<Record<string, string>>): string | undefined =>
  ownPortProblem(headers, options);

test("programs may call by an address, a loopback name or an allowed one", () => {
  for (const host of ["127.0.0.1:81", "[::1]:81", "localhost:81", "LOCALHOST", "controlplane.internal:81"])
    assert.equal(problem({ host }), undefined, host);
  assert.equal(problem({ ":authority": "10.0.0.1:81" }), undefined);
});

test("a name that was led here is refused, and so is what a browser sends", () => {
  for (const host of ["evil.example:81", "localhost.evil.example", "", "a b"])
    assert.match(problem({ host }) ?? "", /--allow-host/, host);
  for (const header of ["origin", "sec-fetch-site"])
    assert.match(problem({ host: "127.0.0.1:81", [header]: "null" }) ?? "", /web pages/, header);
});

test("what Envoy has looked at passes", () => {
  const headers = { host: "app.example", origin: "https://app.example" };
  assert.equal(problem({ ...headers, "x-voda-edge": options.secret }), undefined);
  assert.notEqual(problem({ ...headers, "x-voda-edge": "forged" }), undefined);
});

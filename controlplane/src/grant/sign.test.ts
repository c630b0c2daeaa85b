import assert from "node:assert/strict";
import { test } from "node:test";
import { storeErrorMsMax } from "@voda/net";
import { type GrantProblem, grantBytesMax, grantProblem, parseGrantClaims } from "@voda/proto/grant";
import { sessionToken } from "@voda/proto/session";
import { compactVerify, importJWK, type JWK } from "jose";
import { createSigner } from "./sign.ts";

const name = { namespace: "default", agent: "counter", key: "ä".repeat(128) };
const grant = {
  ...name,
  session: sessionToken(name),
  agentRevision: "0".repeat(64),
  node: "n1",
  incarnation: "1".repeat(32),
  devices: Array.from({ length: 16 }, (_, i) => ({
    uuid: `${i}`.padStart(48, "G"),
    whole: true,
    milli: 1000,
    memoryMib: 16_777_216,
  })),
};

test("an independent implementation verifies a grant with the published key", async () => {
  const signer = createSigner();
  const jws = signer.sign(grant, 1_700_000_000_500);
  const key = await importJWK(JSON.parse(signer.publicJwk) as JWK);
  const { payload, protectedHeader } = await compactVerify(jws, key, { algorithms: ["EdDSA"] });
  assert.equal(protectedHeader.kid, signer.keyId);
  const claims = parseGrantClaims(JSON.parse(new TextDecoder().decode(payload)));
  assert.ok(typeof claims !== "string");
  assert.deepEqual({ ...claims, nonce: "" }, { ...grant, iat: 1_700_000_000, exp: 1_700_000_010, nonce: "" });
  assert.equal(grantProblem(claims, { ...grant, nowMs: 1_700_000_009_999 }), undefined);
  assert.ok(jws.length < grantBytesMax);
});

test("a grant counts for 8 s wherever the clocks of two machines are within their error, and no longer than it may", () => {
  const signedMs = 1_700_000_000_999;
  for (const signerWrongMs of [-storeErrorMsMax, 0, storeErrorMsMax]) {
    const payload =
      createSigner()
        .sign(grant, signedMs + signerWrongMs)
        .split(".")[1] ?? "";
    const claims = parseGrantClaims(JSON.parse(Buffer.from(payload, "base64url").toString()));
    assert.ok(typeof claims !== "string");
    for (const nodeWrongMs of [-storeErrorMsMax, 0, storeErrorMsMax]) {
      const problemAfter = (ms: number): GrantProblem | undefined =>
        grantProblem(claims, { ...grant, nowMs: signedMs + nodeWrongMs + ms });
      assert.deepEqual([problemAfter(0), problemAfter(8_000)], [undefined, undefined]);
      assert.deepEqual(problemAfter(11_000), { type: "void" });
    }
  }
});

test("a grant that was changed does not verify", async () => {
  const signer = createSigner();
  const key = await importJWK(JSON.parse(signer.publicJwk) as JWK);
  const [header, , signature] = signer.sign(grant, 0).split(".");
  const forged = Buffer.from(JSON.stringify({ ...grant, node: "n2", iat: 0, exp: 10, nonce: "" })).toString(
    "base64url",
  );
  await assert.rejects(
    compactVerify(`${header}.${forged}.${signature}`, key),
    /signature verification failed/,
  );
});

test("two grants for one session differ, and each process has its own key", () => {
  const signer = createSigner();
  assert.notEqual(signer.sign(grant, 0), signer.sign(grant, 0));
  assert.notEqual(signer.keyId, createSigner().keyId);
});

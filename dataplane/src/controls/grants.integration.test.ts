import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type KV, Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/transport-node";
import { type GrantClaims, grantBytesMax, grantSecondsMax } from "@voda/proto/grant";
import { sessionToken } from "@voda/proto/session";
import { edgeSecretKey, keysBucket } from "@voda/proto/wire";
import { type Nats, startNats, waitUntil } from "@voda/test/kit";
import { CompactSign, exportJWK, generateKeyPair } from "jose";
import pino from "pino";
import { type Grants, openGrants, type Verdict } from "./grants.ts";

const nowMs = 1_700_000_000_000;
const name = { namespace: "default", agent: "cart", key: "k" };
const token = sessionToken(name);
let nats: Nats;
let connection: NatsConnection;
let keys: KV;
let grants: Grants;
const secrets: (string | undefined)[] = [];
let known: CryptoKey;

before(async () => {
  nats = await startNats();
  connection = await nats.connect();
  keys = await new Kvm(connection).create(keysBucket);
  known = await publishedKey("known");
  const log = pino({ level: "silent" });
  await keys.put(edgeSecretKey, "a secret");
  grants = await openGrants({
    connection,
    node: "n1",
    incarnation: () => "life",
    storeMs: () => nowMs,
    log,
    onEdgeSecret: (secret) => secrets.push(secret),
  });
});
after(async () => {
  await grants[Symbol.asyncDispose]();
  await nats.stop();
});

async function publishedKey(id: string): Promise<CryptoKey> {
  const { publicKey, privateKey } = await generateKeyPair("EdDSA");
  await keys.put(id, JSON.stringify(await exportJWK(publicKey)));
  return privateKey;
}

function signed(more: Partial<GrantClaims> = {}, kid = "known", key = known): Promise<string> {
  const iat = nowMs / 1000;
  const claims: GrantClaims = {
    ...name,
    session: token,
    agentRevision: "0".repeat(64),
    node: "n1",
    incarnation: "life",
    devices: [],
    iat,
    exp: iat + grantSecondsMax,
    nonce: "n",
    ...more,
  };
  return new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: "EdDSA", kid })
    .sign(key);
}

const verdict = async (jws: string | Promise<string>): Promise<Verdict["type"]> =>
  (await grants.verify(await jws, token)).type;

test("a grant for this session, node and life permits", async () => {
  assert.equal(await verdict(signed()), "granted");
});

test("a grant that has expired, or is for another node or an older life, counts as none", async () => {
  const iat = nowMs / 1000 - 20;
  assert.equal(await verdict(signed({ iat, exp: iat + grantSecondsMax })), "void");
  assert.equal(await verdict(signed({ node: "n2" })), "void");
  assert.equal(await verdict(signed({ incarnation: "the life before" })), "void");
});

test("a grant for another session, or that lives too long, is refused", async () => {
  const key = "other";
  assert.equal(await verdict(signed({ key, session: sessionToken({ ...name, key }) })), "refused");
  assert.equal(await verdict(signed({ exp: nowMs / 1000 + grantSecondsMax + 1 })), "refused");
});

test("a grant that nobody of this mesh has signed, or that was changed, is refused", async () => {
  const { privateKey } = await generateKeyPair("EdDSA");
  assert.equal(await verdict(signed({}, "unknown", privateKey)), "refused");
  assert.equal(await verdict(signed({}, "known", privateKey)), "refused");
  const [header, , signature] = (await signed()).split(".");
  const payload = Buffer.from(JSON.stringify({ ...name, session: token, node: "n1" })).toString("base64url");
  assert.equal(await verdict(`${header}.${payload}.${signature}`), "refused");
  const none = Buffer.from(JSON.stringify({ alg: "none", kid: "known" })).toString("base64url");
  assert.equal(await verdict(`${none}.${payload}.`), "refused");
});

test("what is no grant at all, or too long, is refused unread", async () => {
  for (const text of ["", "a", "a.b.c", "..", "{}"]) assert.equal(await verdict(text), "refused", text);
  const long = await grants.verify("x".repeat(grantBytesMax + 1), token);
  assert.ok(long.type === "refused");
  assert.match(long.message, /4097 .*4096/);
});

test("a key works as soon as it is published, and no longer than it is there", async () => {
  const key = await publishedKey("fresh");
  assert.equal(await verdict(signed({}, "fresh", key)), "granted");
  await keys.delete("fresh");
  await waitUntil(async () => (await verdict(signed({}, "fresh", key))) === "refused", "the key is gone");
});

test("while the store is away a signer that is known passes, and nobody is refused for one that is not", async () => {
  const away = await nats.connect();
  const own = await openGrants({
    connection: away,
    node: "n1",
    incarnation: () => "life",
    storeMs: () => nowMs,
    log: pino({ level: "silent" }),
    onEdgeSecret: () => undefined,
  });
  const { privateKey } = await generateKeyPair("EdDSA");
  await away.close();
  assert.equal((await own.verify(await signed(), token)).type, "granted");
  const told = await own.verify(await signed({}, "unknown", privateKey), token);
  assert.ok(told.type === "unavailable");
  assert.match(told.message, /the store does not answer; retry/);
  await own[Symbol.asyncDispose]();
});

test("the secret of the edge, which is no key of grants, is told when it is stored and when it is gone", async () => {
  assert.deepEqual(secrets, ["a secret"]);
  await keys.delete(edgeSecretKey);
  await waitUntil(() => secrets.length === 2, "it is gone");
  assert.deepEqual(secrets, ["a secret", undefined]);
});

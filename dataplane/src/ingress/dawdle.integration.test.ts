// Connections that begin and do not go on. The times they get are patched short: what they mean is tested,
// not how long they are.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { scheduler } from "node:timers/promises";
import { waitUntil } from "@voda/test/kit";
import { patchSource } from "@voda/test/patch";

patchSource("dataplane/src/ingress/limits.ts", "headersMsMax = 10_000", "headersMsMax = 1_000");
patchSource("dataplane/src/ingress/limits.ts", "discardMsMax = 10_000", "discardMsMax = 1_000");
patchSource("net/src/sniff.ts", "sniffMsMax = 10_000", "sniffMsMax = 1_000");
const { openBed, within } = await import("../../test/ingress-bed.ts");

/** By then a head that is late is told so: it is looked for them every second. */
const lateMs = 2_300;
const post = "POST /agents/probe/k/echo HTTP/1.1\r\nhost: localhost\r\n";
const hang = "POST /agents/probe/k/hang HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n";
const padded = `${hang}x-pad: ${"y".repeat(4_000)}\r\n\r\n`;

async function openSocket(t: TestContext, port: number, bytes: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  await once(socket, "connect");
  socket.write(bytes);
  return socket;
}

const statusesOf = (answers: string): readonly string[] =>
  Array.from(answers.matchAll(/HTTP\/1.1 (\d+)/g), ([, status = ""]) => status);

test("connections that dawdle are cut: silent ones, half prefaces, half headers; a half body ends with its deadline", async (t) => {
  const { ingress } = await openBed(t);
  const open = (bytes: string): Promise<Socket> => openSocket(t, ingress.port, bytes);
  const dawdle = async (bytes: string): Promise<string> => within(bytes, text(await open(bytes)));
  const half = await open(
    `${post}content-type: application/json\r\ncontent-length: 9\r\nconnect-timeout-ms: 100\r\n\r\n{`,
  );
  const [late] = (await within("deadline", once(half, "data"))) as [Buffer];
  assert.match(late.toString(), /^HTTP\/1.1 504 .*deadline_exceeded.*the body was not complete/s);
  const [silent, preface, headers] = await Promise.all([dawdle(""), dawdle("PRI *"), dawdle(post)]);
  assert.deepEqual([silent, preface], ["", ""]);
  assert.match(headers, /^HTTP\/1.1 408 .*headers were not complete within headersMsMax 1000/s);
});

test("a head has no less time while its connection is not read from, and no more when it is", async (t) => {
  const bed = await openBed(t);
  const count = 40;
  const said = text(await openSocket(t, bed.ingress.port, padded.repeat(count) + post));
  await scheduler.wait(lateMs);
  for (let i = 0; i < count; i += 1)
    (await within("calls begin", bed.nextHanging())).reply(
      { ok: true, content: "json", body: Buffer.from("1") },
      {},
    );
  const statuses = statusesOf(await within("the last head is late", said));
  assert.deepEqual(statuses, [...Array.from({ length: count }, () => "200"), "408"]);
});

test("what is no request is refused behind the answers to those before it", async (t) => {
  const bed = await openBed(t);
  const after = async (bytes: string): Promise<readonly string[]> => {
    const said = text(await openSocket(t, bed.ingress.port, `${hang}\r\n${bytes}`));
    const { reply } = await within("it begins", bed.nextHanging());
    await scheduler.wait(lateMs);
    reply({ ok: true, content: "json", body: Buffer.from("1") }, {});
    return statusesOf(await within("all is said", said));
  };
  const late = after(post);
  const malformed = after("what is no request\r\n\r\n");
  const inBody = after(
    `${post}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nno size\r\n`,
  );
  assert.deepEqual(await Promise.all([late, malformed, inBody]), [
    ["200", "408"],
    ["200", "400"],
    ["200", "400"],
  ]);
});

const openSockets = (): number =>
  process.getActiveResourcesInfo().filter((resource) => resource === "TCPSocketWrap").length;

for (const allowHalfOpen of [false, true])
  test(`of what was refused nothing stays, when its caller ${allowHalfOpen ? "never" : "soon"} closes`, async (t) => {
    const { ingress } = await openBed(t);
    const before = openSockets();
    for (const bytes of [
      "what is no request\r\n\r\n",
      `${post}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nno size\r\n`,
      `${post}x: ${"y".repeat(300_000)}`,
    ]) {
      const socket = connect({ port: ingress.port, host: "127.0.0.1", allowHalfOpen });
      t.after(() => socket.destroy());
      socket.on("error", () => undefined);
      socket.write(bytes);
      await once(socket, "data");
    }
    await waitUntil(() => openSockets() <= before + (allowHalfOpen ? 3 : 0), "the node's are closed");
  });

// Connections that begin and do not go on. The times they get are patched short: what they mean is tested,
// not how long they are.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { patchSource } from "@voda/test/patch";

patchSource("dataplane/src/ingress/limits.ts", "headersMsMax = 10_000", "headersMsMax = 1_000");
patchSource("net/src/sniff.ts", "sniffMsMax = 10_000", "sniffMsMax = 1_000");
const { openBed, within } = await import("../../test/ingress-bed.ts");

const post = "POST /agents/probe/k/echo HTTP/1.1\r\nhost: localhost\r\n";

test("connections that dawdle are cut: silent ones, half prefaces, half headers; a half body ends with its deadline", async (t) => {
  const { ingress } = await openBed(t);
  const open = async (bytes: string): Promise<Socket> => {
    const socket = connect(ingress.port, "127.0.0.1");
    t.after(() => socket.destroy());
    await once(socket, "connect");
    socket.write(bytes);
    return socket;
  };
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

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttp1 } from "node:http";
import { connect as connectHttp2, createServer as createHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { listen } from "./listen.ts";
import { createPort, type Port } from "./port.ts";

async function openPort(t: TestContext): Promise<Port & { readonly number: number }> {
  const http1 = createHttp1((request, response) => response.end(`one ${request.method}`));
  const http2 = createHttp2((request, response) => response.end(`two ${request.method}`));
  const port = createPort({ http1, http2, onError: () => undefined });
  const { port: number, address } = await listen(port.server, { host: "127.0.0.1", port: 0 });
  assert.equal(address, `127.0.0.1:${number}`);
  t.after(async () => {
    const closed = port.close();
    for (const socket of port.sockets) socket.destroy();
    await closed;
  });
  return { ...port, number };
}

/** Sends each piece only when the one before has arrived, so that they are read one by one. */
async function sendInPieces(port: Port, socket: Socket, pieces: readonly (string | Buffer)[]): Promise<void> {
  let sent = 0;
  for (const piece of pieces) {
    socket.write(piece);
    sent += piece.length;
    while (![...port.sockets].some(({ bytesRead }) => bytesRead >= sent))
      await new Promise((next) => setImmediate(next));
  }
}

async function rawConnection(t: TestContext, number: number): Promise<Socket> {
  const socket = connect(number, "127.0.0.1").setNoDelay(true);
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

for (const pieces of [
  ["PR", "I * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["P", "R", "I", " * HTTP/2", ".0\r\n\r\nSM", "\r\n\r\n"],
]) {
  test(`HTTP/2's preface in ${pieces.length} pieces is HTTP/2`, async (t) => {
    const port = await openPort(t);
    const socket = await rawConnection(t, port.number);
    const answer = once(socket, "data") as Promise<[Buffer]>;
    await sendInPieces(port, socket, pieces);
    socket.write(settings);
    const [bytes] = await answer;
    assert.equal(bytes[3], 4, `a SETTINGS frame, not ${bytes.toString("latin1", 0, 40)}`);
  });
}

test("a method that begins as the preface does is HTTP/1.1, in pieces too", async (t) => {
  const port = await openPort(t);
  const socket = await rawConnection(t, port.number);
  const answer = once(socket, "data") as Promise<[Buffer]>;
  await sendInPieces(port, socket, ["P", "ROPFIND / HTTP/1.1\r\nhost: a\r\n\r\n"]);
  assert.match(String((await answer)[0]), /^HTTP\/1.1 200 OK/);
});

test("both versions are served by one port", async (t) => {
  const { number } = await openPort(t);
  assert.equal(await (await fetch(`http://127.0.0.1:${number}/`)).text(), "one GET");
  const session = connectHttp2(`http://127.0.0.1:${number}`);
  t.after(() => session.destroy());
  let text = "";
  const stream = session.request({ ":path": "/" }).on("data", (chunk: Buffer) => (text += chunk.toString()));
  await once(stream, "end");
  assert.equal(text, "two GET");
});

test("an address that is taken is an error that names it", async (t) => {
  const { number } = await openPort(t);
  const other = createHttp1();
  await assert.rejects(listen(other, { host: "127.0.0.1", port: number }), /EADDRINUSE/);
});

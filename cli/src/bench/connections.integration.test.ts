import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttp } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { type TestContext, test } from "node:test";
import { Connections } from "./connections.ts";

async function open(
  t: TestContext,
  server: Server,
  more: { connectionsMax?: number; silentMsMax?: number } = {},
): Promise<Connections> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const connections = new Connections({
    host: "127.0.0.1",
    port,
    connectionsMax: 2,
    silentMsMax: 30_000,
    ...more,
  });
  t.after(async () => {
    connections[Symbol.dispose]();
    server.close();
    await once(server, "close"); // comes when no connection is left
  });
  return connections;
}

const post = (body: string) => ({ method: "POST", path: "/a", headers: { "x-id": "1" }, body });

test("requests beyond the connections wait, connections are used again, and every caller gets its own answer", async (t) => {
  let sockets = 0;
  const server = createHttp((request, response) => {
    request.setEncoding("utf8");
    request.on("data", (body: string) => {
      const answer = `${request.url} ${String(request.headers["x-id"])} ${body}`;
      response.writeHead(201, { "x-said": body.length, "content-length": Buffer.byteLength(answer) });
      response.flushHeaders();
      setImmediate(() => response.end(answer)); // head and body come apart
    });
  });
  server.on("connection", () => {
    sockets += 1;
  });
  const connections = await open(t, server);
  const bodies = Array.from({ length: 20 }, (_, i) => `ä${i}`);
  const answers = await Promise.all(bodies.map((body) => connections.request(post(body))));
  assert.deepEqual(
    answers.map(({ status, body }) => [status, body]),
    bodies.map((body) => [201, `/a 1 ${body}`]),
  );
  assert.deepEqual([answers[12]?.header("x-said"), answers[0]?.header("x-none")], ["3", undefined]);
  assert.equal(sockets, 2);
});

test("a connection that is cut, silent or speaks something else fails its request, and the next one gets another", async (t) => {
  const said = [
    (): string | undefined => undefined,
    (): string => "",
    (): string => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    (): string => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
    (): string => "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n",
  ];
  const server = createServer((socket) => {
    socket.on("data", () => {
      const words = said.shift()?.();
      if (words === undefined) socket.destroy();
      else socket.write(words);
    });
    socket.on("error", (error) => assert.equal("code" in error && error.code, "ECONNRESET"));
  });
  const connections = await open(t, server, { connectionsMax: 1, silentMsMax: 1_000 });
  await assert.rejects(connections.request(post("a")), /closed before the answer|ECONNRESET/);
  await assert.rejects(connections.request(post("b")), /no answer in 1000 ms/);
  await assert.rejects(
    connections.request(post("c")),
    /not an answer with a content-length: HTTP\/1.1 200 OK/,
  );
  assert.equal((await connections.request(post("d"))).body, "ok");
  assert.equal((await connections.request(post("e"))).status, 429);
});

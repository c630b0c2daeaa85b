import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Client, type ClientDuplexStream, credentials, type ServiceError, status } from "@grpc/grpc-js";
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema,
} from "../gen/envoy/service/discovery/v3/discovery_pb.ts";
import { typeUrls } from "./resource/kind.ts";
import { openXdsServer, streamsMax, subscribedNamesMax, type XdsServer } from "./server.ts";

const folder = mkdtempSync(join(tmpdir(), "voda-xds-"));
const path = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
type Stream = ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

let xds: XdsServer;
let client: Client;

before(async () => {
  xds = await openXdsServer({ path: join(folder, "xds.sock") });
  client = new Client(`unix:${join(folder, "xds.sock")}`, credentials.createInsecure());
});
after(async () => {
  client.close();
  await xds[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** A proxy's stream as any client of gRPC opens it: the refusal must come long before this deadline. */
const openStream = (): Stream =>
  client.makeBidiStreamRequest(
    path,
    (request: DeltaDiscoveryRequest) => Buffer.from(toBinary(DeltaDiscoveryRequestSchema, request)),
    (bytes) => fromBinary(DeltaDiscoveryResponseSchema, bytes),
    { deadline: Date.now() + 10_000 },
  );

const refusalOf = (stream: Stream): Promise<ServiceError> =>
  new Promise((resolve) => stream.once("error", (error: ServiceError) => resolve(error)));

const send = (stream: Stream, request: MessageInitShape<typeof DeltaDiscoveryRequestSchema>): boolean =>
  stream.write(create(DeltaDiscoveryRequestSchema, request));

test("a proxy that names no type is told so at once", async () => {
  const stream = openStream();
  const refusal = refusalOf(stream);
  send(stream, { node: { id: "p" } });
  const { code, details } = await refusal;
  assert.deepEqual(
    [code, details],
    [status.INVALID_ARGUMENT, "type_url is empty; an aggregated stream needs it"],
  );
});

test("a proxy that asks for too many names is told the number and the limit, and its stream is gone", async () => {
  const stream = openStream();
  const refusal = refusalOf(stream);
  const names = Array.from({ length: subscribedNamesMax + 1 }, (_, i) => `c${i}`);
  send(stream, { node: { id: "greedy" }, typeUrl: typeUrls.cluster, resourceNamesSubscribe: names });
  const { code, details } = await refusal;
  assert.equal(code, status.RESOURCE_EXHAUSTED);
  assert.equal(
    details,
    `${subscribedNamesMax + 1} cluster names exceed subscribedNamesMax ${subscribedNamesMax}`,
  );
  assert.deepEqual(
    xds.status().filter(({ proxy }) => proxy === "greedy"),
    [],
  );
});

test("one proxy more than streamsMax is refused with both numbers, the others stay", async () => {
  const streams = Array.from({ length: streamsMax }, openStream);
  for (const stream of streams) {
    stream.on("error", () => {}); // cancelled at the end
    send(stream, { node: { id: "one of many" }, typeUrl: typeUrls.cluster });
  }
  while (xds.status().length < streamsMax) await new Promise(setImmediate);
  const { code, details } = await refusalOf(openStream());
  assert.equal(code, status.RESOURCE_EXHAUSTED);
  assert.equal(details, `${streamsMax} proxies are connected, streamsMax is ${streamsMax}`);
  assert.equal(xds.status().length, streamsMax);
  for (const stream of streams) stream.cancel();
});

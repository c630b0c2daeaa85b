import assert from "node:assert/strict";
import { once } from "node:events";
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
import { ClusterSchema, ListenerSchema } from "./resource/types.ts";
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

test("a proxy that asks for too many names is told the number and the limit", async () => {
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
});

test("one proxy more than streamsMax is refused with both numbers, the others and none before them count", async () => {
  const clusters = [create(ClusterSchema, { name: "c" })];
  const portSpecifier = { case: "portValue", value: 80 } as const;
  const address = { case: "socketAddress", value: { address: "127.0.0.1", portSpecifier } } as const;
  const listeners = [create(ListenerSchema, { name: "l", address: { address } })];
  xds.publish({ clusters, assignments: [], listeners, routes: [] });
  const ended: string[] = [];
  const streams = Array.from({ length: streamsMax }, openStream);
  await Promise.all(
    streams.map(async (stream) => {
      stream.on("error", ({ message }: ServiceError) => ended.push(message));
      send(stream, { node: { id: "one of many" }, typeUrl: typeUrls.cluster });
      await once(stream, "data");
    }),
  );
  const { code, details } = await refusalOf(openStream());
  assert.equal(code, status.RESOURCE_EXHAUSTED);
  assert.equal(details, `${streamsMax} proxies are connected, streamsMax is ${streamsMax}`);
  assert.deepEqual(ended, []);
  for (const stream of streams) stream.cancel();
});

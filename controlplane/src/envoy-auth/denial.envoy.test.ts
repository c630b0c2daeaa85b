import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { AgentSchema, NodeService } from "@voda/proto/api";
import { systemClock } from "@voda/stdx";
import { freePort, type RunningProcess, startProcess } from "@voda/test/kit";
import { pino } from "pino";
import { locate } from "../../../cli/src/binaries/locate.ts";
import { node } from "../../test/node-specs.ts";
import { Agents } from "../agents/agents.ts";
import { Directory } from "../directory/directory.ts";
import { createSigner } from "../grant/sign.ts";
import { Pool } from "../placement/index.ts";
import { RoomMaker, Scheduler } from "../scheduler/index.ts";
import { openPicker } from "./server.ts";

const noRoom = "none of 1 nodes could take it even empty (cpu: 1); nearest is n1: cpu wanted 2000, free 1000";
let picker: AsyncDisposable;
let envoy: RunningProcess;
let port: number;
const dir = mkdtempSync(join(tmpdir(), "voda-picker-"));

before(async () => {
  const agents = new Agents();
  agents.set(
    create(AgentSchema, {
      namespace: "default",
      name: "cart",
      revision: "0",
      resources: { cpuMilli: 2_000 },
    }),
  );
  const pool = new Pool({ nodes: [node("n1", { cores: 1 })] });
  const directory = new Directory({ pool, requestOf: (name) => agents.requestOf(name) });
  const log = pino({ level: "silent" });
  const rooms = new RoomMaker({ clock: systemClock, putToSleep: () => Promise.resolve("away") });
  picker = await openPicker(
    {
      agents,
      scheduler: new Scheduler({ agents, directory, pool, clock: systemClock, rooms }),
      signer: createSigner(),
      storeMs: Date.now,
    },
    { path: join(dir, "picker.sock"), log },
  );
  port = await freePort();
  const config = join(dir, "envoy.json");
  writeFileSync(config, JSON.stringify(bootstrap(port, join(dir, "picker.sock"))));
  envoy = await startProcess({
    command: locate("envoy"),
    args: ["-c", config, "--disable-hot-restart", "--concurrency", "1"],
    ready: (output) => output.includes("starting main dispatch loop"),
  });
});
after(async () => {
  await envoy.stop();
  await picker[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
});

const type = (name: string): string => `type.googleapis.com/envoy.extensions.${name}`;
const http = "filters.network.http_connection_manager.v3.HttpConnectionManager";

function cluster(name: string, path: string) {
  const endpoint = { address: { pipe: { path } } };
  return {
    name,
    type: "STATIC",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
  };
}

/** One listener whose only upstream is the picker itself: nothing that is denied may come through. */
function bootstrap(listener: number, pickerSocket: string) {
  const exact = (names: string[]) => ({ patterns: names.map((name) => ({ exact: name })) });
  const authz = {
    "@type": type("filters.http.ext_authz.v3.ExtAuthz"),
    transport_api_version: "V3",
    failure_mode_allow: true,
    allowed_headers: exact(["x-voda-session", "x-voda-namespace", "x-voda-agent", "content-type"]),
    http_service: {
      server_uri: { uri: "http://picker", cluster: "picker", timeout: "30s" },
      path_prefix: "/pick",
      authorization_response: {
        allowed_client_headers: exact([
          "content-type",
          "retry-after",
          "grpc-status",
          "grpc-message",
          "grpc-status-details-bin",
        ]),
      },
    },
  };
  const manager = {
    "@type": type(http),
    stat_prefix: "in",
    codec_type: "AUTO",
    route_config: {
      virtual_hosts: [
        { name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "picker" } }] },
      ],
    },
    http_filters: [
      { name: "authz", typed_config: authz },
      { name: "router", typed_config: { "@type": type("filters.http.router.v3.Router") } },
    ],
  };
  const address = { socket_address: { address: "127.0.0.1", port_value: listener } };
  const filters = [{ name: "http", typed_config: manager }];
  return {
    static_resources: {
      listeners: [{ name: "in", address, filter_chains: [{ filters }] }],
      clusters: [cluster("picker", pickerSocket)],
    },
  };
}

const session: Interceptor = (next) => (request) => {
  request.header.set("x-voda-session", "k");
  request.header.set("x-voda-agent", "cart");
  return next(request);
};

async function refusalOf(transport: Transport): Promise<ConnectError> {
  try {
    await createClient(NodeService, transport).listNodes({});
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error("the call was not denied");
}

test("a denial for lack of capacity reaches gRPC and Connect clients with its code, message and reason", async () => {
  const baseUrl = `http://127.0.0.1:${port}`;
  for (const transport of [
    createGrpcTransport({ baseUrl, interceptors: [session] }),
    createConnectTransport({ baseUrl, httpVersion: "1.1", interceptors: [session] }),
    createConnectTransport({ baseUrl, httpVersion: "2", interceptors: [session] }),
  ]) {
    const error = await refusalOf(transport);
    assert.equal(error.code, Code.ResourceExhausted);
    assert.equal(error.rawMessage, noRoom);
    const types = error.details.map((detail) => ("type" in detail ? detail.type : ""));
    assert.deepEqual(types, ["google.rpc.ErrorInfo", "google.rpc.RetryInfo"]);
  }
});

test("a gRPC client that reads no details gets the code from grpc-status", async () => {
  const { metadata } = await refusalOf(
    createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}`, interceptors: [session] }),
  );
  assert.deepEqual([metadata.get("grpc-status"), metadata.get("grpc-message")], ["8", noRoom]);
});

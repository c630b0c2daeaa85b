import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type NatsConnection, type NodeConnectionOptions } from "@nats-io/transport-node";
import { locate } from "@voda/cli/harness";
import { natsPayloadBytesMax } from "@voda/proto/wire";
import { type RunningProcess, startProcess } from "./process.ts";
import { waitUntil } from "./wait.ts";

export interface NatsOptions {
  /** Folder of the store; default is a temporary one that `stop` removes. */
  readonly dir?: string;
  /** Default: one that the server picks. */
  readonly port?: number;
  /** Default: the server's own, 2 minutes. */
  readonly sync?: "always";
  /** `max_file_store`; default: the server's own, a share of what is free. */
  readonly storeBytesMax?: number;
}

/** A real nats-server with JetStream on 127.0.0.1. */
export interface Nats extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  /** A client of it. `stop` closes what is left open. */
  connect(options?: Pick<NodeConnectionOptions, "reconnect">): Promise<NatsConnection>;
  pid(): number;
  signal(name: NodeJS.Signals): void;
  /** SIGKILL; the store stays. */
  kill9(): Promise<void>;
  /** Starts the stopped server again, on the same port and store; with another `storeBytesMax` if told so. */
  restart(more?: Pick<NatsOptions, "storeBytesMax">): Promise<void>;
  /** Ends the server and removes the temporary store. */
  stop(): Promise<void>;
}

export async function startNats(options: NatsOptions = {}): Promise<Nats> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), "voda-nats-"));
  mkdirSync(dir, { recursive: true });
  const first = await launch(dir, options.port ?? -1, options);
  const url = `nats://127.0.0.1:${first.port}`;
  let server = first.server;
  const clients: NatsConnection[] = [];
  const stop = async (): Promise<void> => {
    for (const client of clients) await client.close();
    await server.stop();
    if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
  };
  return {
    url,
    port: first.port,
    dir,
    async connect(more) {
      const client = await connect({ servers: url, noAsyncTraces: true, ...more });
      clients.push(client);
      return client;
    },
    pid: () => server.pid,
    signal: (name) => server.signal(name),
    kill9: () => server.kill9(),
    async restart(more) {
      await server.stop();
      server = (await launch(dir, first.port, { ...options, ...more })).server;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function launch(
  dir: string,
  port: number,
  { sync, storeBytesMax }: NatsOptions,
): Promise<{ server: RunningProcess; port: number }> {
  const config = join(dir, "nats.conf");
  const more = [
    ...(sync === undefined ? [] : [`, sync_interval: ${sync}`]),
    ...(storeBytesMax === undefined ? [] : [`, max_file_store: ${storeBytesMax}`]),
  ];
  writeFileSync(
    config,
    `listen: "127.0.0.1:${port}"
max_payload: ${natsPayloadBytesMax}
ports_file_dir: ${JSON.stringify(dir)}
jetstream { store_dir: ${JSON.stringify(dir)}${more.join("")} }
`,
  );
  const server = await startProcess({
    command: locate("nats-server"),
    args: ["-c", config],
    ready: (output) => output.includes("Server is ready"),
  });
  try {
    return {
      server,
      port: port === -1 ? await chosenPort(join(dir, `nats-server_${server.pid}.ports`)) : port,
    };
  } catch (error) {
    await server.kill9();
    throw error;
  }
}

/** The server writes the file soon after it is ready. */
async function chosenPort(portsFile: string): Promise<number> {
  const text = await waitUntil(
    () => existsSync(portsFile) && readFileSync(portsFile, "utf8"),
    `nats-server wrote ${portsFile}`,
  );
  const ports = JSON.parse(text) as { nats: string[] };
  const port = Number(new URL(ports.nats[0] ?? "nats://none").port);
  if (!(port > 0)) throw new Error(`${portsFile} names no port`);
  return port;
}

// HTTP/1.1 over connections that are kept open, with no more work than the answer needs: a driver shares the
// machine with what it measures. It understands what the mesh sends to plain callers: answers with a
// content-length.
import { connect, type Socket } from "node:net";

/** A whole answer. */
export interface HttpAnswer {
  readonly status: number;
  /** `name` is in lower case; the answer's may be in any. */
  header(name: string): string | undefined;
  readonly body: string;
}

/** Without `host` and `content-length`, which are added. */
export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** All connections go to one address. */
export interface ConnectionsOptions {
  readonly host: string;
  readonly port: number;
  /** Requests beyond as many wait for a connection. */
  readonly connectionsMax: number;
  /** A connection that is silent for longer while an answer is due is given up. */
  readonly silentMsMax: number;
}

/** A request on its way; its connection carries no other. */
interface Exchange {
  readonly bytes: Buffer;
  readonly resolve: (answer: HttpAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** Bytes that come without an exchange end it. */
interface Connection {
  readonly socket: Socket;
  exchange: Exchange | undefined;
  received: Buffer;
}

const noBytes = Buffer.alloc(0);
const headEnd = "\r\n\r\n";

/** Requests wait in line for a connection; one that breaks fails the request that is on it, and no other. */
export class Connections implements Disposable {
  readonly #options: ConnectionsOptions;
  readonly #open = new Set<Connection>();
  readonly #idle: Connection[] = [];
  readonly #waiting: Exchange[] = [];

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /** One attempt. @throws when the connection ends first */
  request({ method, path, headers, body }: HttpRequest): Promise<HttpAnswer> {
    const { host, port } = this.#options;
    // One write: without Nagle's delay, two may be two packets.
    let text = `${method} ${path} HTTP/1.1\r\nhost: ${host}:${port}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
    for (const name in headers) text += `${name}: ${headers[name]}\r\n`;
    const bytes = Buffer.from(`${text}\r\n${body}`);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ bytes, resolve, reject });
      this.#start();
    });
  }

  [Symbol.dispose](): void {
    for (const { socket } of this.#open) socket.destroy(new Error("the driver is closed"));
  }

  #start(): void {
    const next = this.#waiting[0];
    const connection = next === undefined ? undefined : (this.#idle.pop() ?? this.#connect());
    if (next === undefined || connection === undefined) return;
    this.#waiting.shift();
    connection.exchange = next;
    connection.socket.write(next.bytes);
  }

  #connect(): Connection | undefined {
    const { host, port, connectionsMax, silentMsMax } = this.#options;
    if (this.#open.size === connectionsMax) return undefined;
    const socket = connect({ host, port, noDelay: true, timeout: silentMsMax });
    const connection: Connection = { socket, exchange: undefined, received: noBytes };
    this.#open.add(connection);
    socket.on("data", (chunk: Buffer) => this.#receive(connection, chunk));
    /** An idle connection may be silent for ever. */
    socket.on("timeout", () => {
      if (connection.exchange !== undefined) socket.destroy(new Error(`no answer in ${silentMsMax} ms`));
    });
    let why = new Error("the connection was closed before the answer");
    socket.on("error", (error) => {
      why = error;
    });
    socket.on("close", () => this.#closed(connection, why));
    return connection;
  }

  /** One less is open: the next in line may open its own. */
  #closed(connection: Connection, why: Error): void {
    this.#open.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    connection.exchange?.reject(why);
    this.#start();
  }

  #receive(connection: Connection, chunk: Buffer): void {
    const { exchange, socket } = connection;
    connection.received =
      connection.received.length === 0 ? chunk : Buffer.concat([connection.received, chunk]);
    // Nothing is read before the head is whole.
    const end = connection.received.indexOf(headEnd);
    if (end < 0) return;
    const head = connection.received.toString("latin1", 0, end);
    const length = Number(headerIn(head, "content-length") ?? Number.NaN);
    const total = end + headEnd.length + length;
    if (exchange === undefined || Number.isNaN(length) || connection.received.length > total) {
      socket.destroy(new Error(`not an answer with a content-length: ${head.slice(0, 200)}`));
      return;
    }
    if (connection.received.length < total) return;
    const body = connection.received.toString("utf8", end + headEnd.length, total);
    connection.received = noBytes;
    connection.exchange = undefined;
    // The server ends it after this answer.
    if (headerIn(head, "connection") === "close") socket.destroy();
    else this.#idle.push(connection);
    exchange.resolve({ status: Number(head.slice(9, 12)), header: (name) => headerIn(head, name), body });
    this.#start();
  }
}

/** Names in any case: Envoy writes them in lower case, node:http as they were set. */
function headerIn(head: string, name: string): string | undefined {
  const at = head.toLowerCase().indexOf(`\r\n${name}: `);
  if (at < 0) return undefined;
  const from = at + name.length + 4;
  const end = head.indexOf("\r\n", from);
  return head.slice(from, end < 0 ? undefined : end);
}

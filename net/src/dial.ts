// The first dial to NATS, which fails in words that name the flag to mend.
import {
  AuthorizationError,
  connect,
  type NatsConnection,
  type NodeConnectionOptions,
} from "@nats-io/transport-node";

/** How a program of the mesh dials. */
export interface Dial extends NodeConnectionOptions {
  /** The value of `--nats`. */
  readonly url: string;
  /** The value of `--nats-login`; what is in the file are the options `user` and `pass`. */
  readonly loginFile: string | undefined;
}

/** @throws Error, when no server can be reached or it refuses the login */
export async function dialNats({ url, loginFile, ...options }: Dial): Promise<NatsConnection> {
  try {
    return await connect({ ...options, servers: url });
  } catch (cause) {
    if (!(cause instanceof AuthorizationError))
      throw new Error(`no nats-server answers at ${url}; start one, or pass another --nats`, { cause });
    const login = loginFile ?? "(none)";
    throw new Error(`nats-server at ${url} refuses the login of --nats-login ${login}`, { cause });
  }
}

// The connection to NATS as the API sees it: up, or lost. The client keeps what it is asked while it dials,
// and waits for answers that a server which died can no longer give: a caller is told so instead.
import type { NatsConnection } from "@nats-io/transport-node";
import type { Logger } from "pino";
import { storeAway } from "./store-refusal.ts";

/** What asks no store is answered long before. */
const graceMs = 250;

/** Owns the connection, and ends the waiting of calls that it is lost under. */
export class Link implements AsyncDisposable {
  readonly #connection: NatsConnection;
  readonly #following: Promise<void>;
  readonly #calls = new Set<() => void>();
  #isUp = true;

  constructor(connection: NatsConnection, log: Logger) {
    this.#connection = connection;
    this.#following = this.#follow(log);
  }

  /**
   * What the call comes to. @throws ControlError `store_away` when it comes to nothing and the connection
   * was lost under it: when it is back too, what the call waits for may have gone with the one before
   */
  async whileUp<T>(call: Promise<T>): Promise<T> {
    const lost = Promise.withResolvers<never>();
    let timer: NodeJS.Timeout | undefined;
    const lose = (): void => {
      timer ??= setTimeout(() => lost.reject(storeAway("the connection to NATS is lost")), graceMs);
    };
    this.#calls.add(lose);
    if (!this.#isUp) lose();
    try {
      return await Promise.race([call, lost.promise]);
    } finally {
      clearTimeout(timer);
      this.#calls.delete(lose);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close();
    await this.#following;
  }

  async #follow(log: Logger): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      // the client says it again for each dial that fails
      const isUp = type === "reconnect" || (type !== "disconnect" && this.#isUp);
      if (isUp === this.#isUp) continue;
      this.#isUp = isUp;
      if (isUp) {
        log.info("connected to nats-server again");
        continue;
      }
      log.warn("the connection to nats-server is lost; calls that need it are refused until it is back");
      for (const lose of this.#calls) lose();
    }
  }
}

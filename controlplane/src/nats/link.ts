// The connection to NATS as the API sees it: up, or away. The client keeps what it is asked while it dials,
// and waits for answers that a server which died can no longer give: a caller is told so instead.
import type { NatsConnection } from "@nats-io/transport-node";
import type { Logger } from "pino";
import { storeAway } from "./store-refusal.ts";

/** A server that is started again at once is back by then; what asks no store is answered long before. */
const graceMs = 250;

/** Ends the waiting of calls while the connection is lost. */
export class Link {
  readonly #waiting = new Set<() => void>();
  #isUp = true;

  constructor(connection: NatsConnection, log: Logger) {
    void this.#follow(connection, log);
  }

  /** What the call comes to. @throws ControlError `store_away` when it comes to nothing while NATS is away */
  async whileUp<T>(call: Promise<T>): Promise<T> {
    const lost = Promise.withResolvers<never>();
    let timer: NodeJS.Timeout | undefined;
    const look = (): void => {
      clearTimeout(timer);
      if (!this.#isUp)
        timer = setTimeout(() => lost.reject(storeAway("the connection to NATS is lost")), graceMs);
    };
    look();
    this.#waiting.add(look);
    try {
      return await Promise.race([call, lost.promise]);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(look);
    }
  }

  async #follow(connection: NatsConnection, log: Logger): Promise<void> {
    for await (const { type } of connection.status()) {
      // the client says it again for each dial that fails
      const isUp = type === "reconnect" || (type !== "disconnect" && this.#isUp);
      if (isUp === this.#isUp) continue;
      this.#isUp = isUp;
      if (isUp) log.info("connected to nats-server again");
      else log.warn("the connection to nats-server is lost; calls that need it are refused until it is back");
      for (const look of this.#waiting) look();
    }
  }
}

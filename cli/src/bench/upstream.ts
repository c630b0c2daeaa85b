// A server beside the mesh that does what it is asked once for each key, and counts how often it is asked.
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** One thing that was done. */
export interface Effect {
  /** Path of the request: `/charge`. */
  readonly path: string;
  readonly key: string;
  readonly order: string;
  readonly receipt: number;
  /** Bodies of the requests for it, in their order. */
  readonly asked: string[];
}

export interface Upstream extends AsyncDisposable {
  readonly url: string;
  readonly effects: ReadonlyMap<string, Effect>;
  of(order: string, path: string): Effect[];
}

/** `hold`: before each answer, what it was done for is kept from its asker. */
export async function startUpstream(
  hold: (effect: Effect) => Promise<void> = async () => undefined,
): Promise<Upstream> {
  const effects = new Map<string, Effect>();
  const perform = async (request: IncomingMessage): Promise<Effect> => {
    const [key, path, body] = [
      String(request.headers["idempotency-key"]),
      request.url ?? "",
      await text(request),
    ];
    const { order } = JSON.parse(body) as { order: string };
    const effect = effects.get(key) ?? { path, key, order, receipt: effects.size + 1, asked: [] };
    effects.set(key, effect);
    effect.asked.push(body);
    await hold(effect);
    return effect;
  };
  const server = createServer((request, response) => {
    perform(request).then(
      ({ key, receipt }) => response.end(JSON.stringify({ key, receipt })),
      () => response.destroy(), // its asker was killed amid the request
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    effects,
    of: (order, path) => [...effects.values()].filter((one) => one.order === order && one.path === path),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

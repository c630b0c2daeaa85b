// Where sessions were last found, so that Envoy needs to ask nobody.

/** The node that last answered for a session, by `agent/key`. */
export interface HintCache {
  readonly get: (session: string) => string | undefined;
  readonly set: (session: string, host: string) => void;
  readonly delete: (session: string) => void;
}

/** Least recently used sessions are forgotten; their next call is asked for again. */
export const hintsMax = 4096;

/** @param sessionsMax of how many sessions it knows */
export function hintCache(sessionsMax: number = hintsMax): HintCache {
  const hosts = new Map<string, string>();
  const set = (session: string, host: string): void => {
    hosts.delete(session);
    hosts.set(session, host);
    if (hosts.size > sessionsMax) for (const oldest of hosts.keys()) return void hosts.delete(oldest);
  };
  const get = (session: string): string | undefined => {
    const host = hosts.get(session);
    if (host !== undefined) set(session, host);
    return host;
  };
  return { get, set, delete: (session) => void hosts.delete(session) };
}

// What web pages may do, at every port that takes callers. A browser lets any page send requests to any port,
// and a name that an attacker owns can lead here (DNS rebinding), so a page's own claims are looked at before
// anything else: the name in Host, the Origin, and Sec-Fetch-Site. Envoy and nodes read the same patterns, in
// the words that RE2 and JavaScript share.

/** Who may be called, and whose pages may call. */
export interface BorderOptions {
  /** Names, beside the loopback's, by which this port may be called; their pages may call, too. */
  readonly names: readonly string[];
  /** Origins, as `https://app.example`, whose pages may call. */
  readonly origins: readonly string[];
}

/** What the whole value of a header must match. */
export interface BorderPatterns {
  readonly host: string;
  readonly origin: string;
}

/** What a request claims; a header that it does not have is undefined. */
export interface Claims {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly site: string | undefined;
}

/** Browsers lead every name below `localhost` to the loopback (RFC 6761 6.3). */
const loopbackName = "(?:[\\w-]+\\.)*localhost";
const loopbackAddress = "127(?:\\.\\d+){3}|\\[::1\\]";
/**
 * As a host, an address needs no leave: it cannot be rebound. A page can come from any, so as an origin it
 * does.
 */
const anyAddress = "\\d+(?:\\.\\d+){3}|\\[[0-9A-Fa-f:.]+\\]";
const port = "(?::\\d+)?";
/** Of a value that a message shows. */
const shownMax = 100;

/** What `Sec-Fetch-Site` says of a page of another site; with an Origin beside it, that decides. */
export const foreignSite = "cross-site";

/** What a refused caller reads: which value, and the flag that allows it. */
export const borderWords = {
  host: (host: string) => `host ${host} may not be called here; --allow-host names more`,
  origin: (origin: string) => `pages of ${origin} may not call here; --allow-origin names those that may`,
  site: "a page of another site sent this and does not say which; pages call with an Origin that --allow-origin names",
} as const;

/** The rules as patterns, for whoever cannot call a function. */
export function borderPatterns({ names, origins }: BorderOptions): BorderPatterns {
  const own = names.map((name) => quoted(name.includes(":") ? `[${name}]` : name));
  const pages = `https?://(?:${[loopbackName, loopbackAddress, ...own].join("|")})${port}`;
  return {
    host: `(?i:(?:${[loopbackName, anyAddress, ...own].join("|")})${port})`,
    origin: `(?i:${[pages, ...origins.map(quoted)].join("|")})`,
  };
}

/** The rules as functions. */
export interface BorderRules {
  /** Why a request is refused; undefined when it may pass. */
  readonly problem: (claims: Claims) => string | undefined;
  /** Whether the pages of an origin may call, and so read the answer. */
  readonly isAllowed: (origin: string) => boolean;
}

/** HTTP/1.0 names no host, and no browser sends it: only a host that is there is looked at. */
export function borderRules(options: BorderOptions): BorderRules {
  const patterns = borderPatterns(options);
  const [host, origin] = [whole(patterns.host), whole(patterns.origin)];
  return {
    problem(claims) {
      if (claims.host !== undefined && !host.test(claims.host)) return borderWords.host(shown(claims.host));
      if (claims.origin === undefined) return claims.site === foreignSite ? borderWords.site : undefined;
      return origin.test(claims.origin) ? undefined : borderWords.origin(shown(claims.origin));
    },
    isAllowed: (one) => origin.test(one),
  };
}

const whole = (pattern: string): RegExp => new RegExp(`^${pattern}$`);

function shown(text: string): string {
  return text === "" ? '""' : text.slice(0, shownMax);
}

function quoted(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

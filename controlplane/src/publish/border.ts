// What web pages may do. A browser lets any page send requests to this port, and a name that an attacker owns
// can lead here (DNS rebinding), so a page's own claims are looked at before anything else: the name in Host,
// the Origin, and Sec-Fetch-Site. Nodes hold the same rules at their own ports.
import { create } from "@bufbuild/protobuf";
import { HeaderMatcherSchema, type Route, RouteSchema } from "@voda/envoy";
import { errorJson } from "@voda/proto/error-body";
import type { Reason } from "@voda/proto/wire";
import type { IngressConfig } from "./config.ts";
import { headersToSet, is, unasked } from "./route-parts.ts";

/** Browsers lead every name below `localhost` to the loopback (RFC 6761 6.3). */
const loopbackName = "(?:[\\w-]+\\.)*localhost";
const loopbackAddress = "127(?:\\.\\d+){3}|\\[::1\\]";
/**
 * An address needs no leave as a host: it cannot be rebound. A page can come from any, so as an origin it
 * does.
 */
const anyAddress = "\\d+(?:\\.\\d+){3}|\\[[0-9A-Fa-f:.]+\\]";
const port = "(?::\\d+)?";

const reason = "origin_refused" satisfies Reason;
const foreignHost = errorOf("the host is not allowed here; --allow-host of the control plane names more");
const foreignOrigin = errorOf(
  "pages of this origin may not call; --allow-origin of the control plane names those that may",
);
const hiddenOrigin = errorOf("a page of another site sent this and does not say which");

/** They come first: whatever matches one of them goes nowhere. */
export function borderRoutes({ allowHosts, allowOrigins, listener }: IngressConfig): Route[] {
  const names = [listener.host, ...allowHosts].map(quoted);
  const hosts = `(?i)(?:${[loopbackName, anyAddress, ...names].join("|")})${port}`;
  const ownOrigins = `https?://(?:${[loopbackName, loopbackAddress, ...names].join("|")})${port}`;
  const origins = `(?i)(?:${[ownOrigins, ...allowOrigins.map(quoted)].join("|")})`;
  return [
    refusal(foreignHost, [matches(":authority", { not: hosts })]),
    refusal(foreignOrigin, [isPresent("origin"), matches("origin", { not: origins })]),
    refusal(hiddenOrigin, [isAbsent("origin"), is("sec-fetch-site", "cross-site")]),
  ];
}

function errorOf(message: string): string {
  return errorJson({ code: "permission_denied", reason, message });
}

type Matcher = ReturnType<typeof isPresent>;

function refusal(body: string, headers: readonly Matcher[]): Route {
  return create(RouteSchema, {
    match: { pathSpecifier: { case: "prefix", value: "/" }, headers: [...headers] },
    action: {
      case: "directResponse",
      value: { status: 403, body: { specifier: { case: "inlineString", value: body } } },
    },
    responseHeadersToAdd: headersToSet({ "content-type": "application/json" }),
    typedPerFilterConfig: unasked(),
  });
}

const isPresent = (name: string) =>
  create(HeaderMatcherSchema, { name, headerMatchSpecifier: { case: "presentMatch", value: true } });
const isAbsent = (name: string) =>
  create(HeaderMatcherSchema, { name, headerMatchSpecifier: { case: "presentMatch", value: false } });
/** The whole value, and only of a header that is there. */
const matches = (name: string, { not }: { readonly not: string }) =>
  create(HeaderMatcherSchema, {
    name,
    headerMatchSpecifier: {
      case: "stringMatch",
      value: { matchPattern: { case: "safeRegex", value: { regex: not } } },
    },
    invertMatch: true,
  });

function quoted(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

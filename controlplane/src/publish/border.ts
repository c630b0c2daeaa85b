// What web pages may do, as routes: nodes hold the same rules (`@voda/net`) at their own ports.
import { create, type JsonObject } from "@bufbuild/protobuf";
import { type Route, RouteSchema } from "@voda/envoy";
import { borderPatterns, borderWords, foreignSite } from "@voda/net";
import { errorJson } from "@voda/proto/error-body";
import type { Reason } from "@voda/proto/wire";
import type { IngressConfig } from "./config.ts";
import {
  type HeaderMatcher,
  headersToSet,
  is,
  isAbsent,
  isPresent,
  matches,
  unasked,
} from "./route-parts.ts";

const reason = "origin_refused" satisfies Reason;
/** What Envoy puts in place: a header as the client sent it, at most so many characters. */
const sent = (header: string): string => `%REQ(${header}):100%`;
const said = {
  host: borderWords.host(sent(":AUTHORITY")),
  origin: borderWords.origin(sent("ORIGIN")),
  site: borderWords.site,
};

/** What gRPC callers read: Envoy does not tell which of the routes answered. */
export const borderMessage = `host ${sent(":AUTHORITY")} or pages of ${sent("ORIGIN")} are not allowed here; --allow-host and --allow-origin name more`;

/** They come first: whatever matches one of them goes nowhere. */
export function borderRoutes({ allowHosts, allowOrigins, listener }: IngressConfig): Route[] {
  const { host, origin } = borderPatterns({ names: [listener.host, ...allowHosts], origins: allowOrigins });
  return [
    refusal(said.host, [matches(":authority", { not: host })]),
    refusal(said.origin, [isPresent("origin"), matches("origin", { not: origin })]),
    refusal(said.site, [isAbsent("origin"), is("sec-fetch-site", foreignSite)]),
  ];
}
function refusal(message: string, headers: readonly HeaderMatcher[]): Route {
  const json = JSON.parse(errorJson({ code: "permission_denied", reason, message })) as JsonObject;
  return create(RouteSchema, {
    match: { pathSpecifier: { case: "prefix", value: "/" }, headers: [...headers] },
    action: {
      case: "directResponse",
      // Envoy writes the values into the JSON, and escapes them.
      value: { status: 403, bodyFormat: { format: { case: "jsonFormat", value: json } } },
    },
    responseHeadersToAdd: headersToSet({ "content-type": "application/json" }),
    typedPerFilterConfig: unasked(),
  });
}

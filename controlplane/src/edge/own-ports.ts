// Who may speak to the control plane's own ports. Clients come through Envoy, which looks at Host and Origin;
// a web page that finds the ports themselves must not get further than there.
import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";
import { headers as names } from "@voda/proto/wire";

/** By what a request is told to be allowed. */
export interface OwnPortOptions {
  /** What Envoy adds to requests that it has looked at. */
  readonly secret: string;
  /**
   * Names, beside the loopback's, by which programs may call. An address needs no leave: it cannot be
   * rebound.
   */
  readonly allowHosts: readonly string[];
}

/**
 * Only browsers send these, and each that could be misused sends one of them, or a name that was led here in
 * Host.
 */
const browserHeaders = ["origin", "sec-fetch-site"];

/** Why a request is not heeded; `undefined` for one that came through Envoy, and for programs. */
export function ownPortProblem(
  headers: IncomingHttpHeaders,
  { secret, allowHosts }: OwnPortOptions,
): string | undefined {
  // The edge's secret is no password of the control plane: a timing that tells it helps nobody who is not on
  // this network anyway.
  if (headers[names.edge] === secret) return undefined;
  const authority = String(headers[":authority"] ?? headers.host ?? "");
  const host = URL.canParse(`http://${authority}`) ? new URL(`http://${authority}`).hostname : "";
  const isOwn =
    host === "localhost" ||
    host.endsWith(".localhost") ||
    isIP(host.replace(/^\[|\]$/g, "")) > 0 ||
    allowHosts.includes(host);
  if (!isOwn)
    return `host ${JSON.stringify(authority.slice(0, 100))} is not allowed here; --allow-host of the control plane names more`;
  return browserHeaders.some((name) => headers[name] !== undefined)
    ? "web pages call through the mesh's ingress, not here"
    : undefined;
}

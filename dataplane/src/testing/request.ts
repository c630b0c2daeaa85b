// What `fetch` is given and gives back, as the product's ingress knows it.
import type { HttpAnswer } from "../ingress/dialect/index.ts";
import type { RequestHead } from "../ingress/head.ts";

/** A request as a whole. */
export interface MeshRequest {
  readonly head: RequestHead;
  readonly body: Buffer;
}

const timeoutHeader = "connect-timeout-ms";

/** @throws TypeError for a Request, whose body comes in parts, and for such a body */
export function requestOf(
  input: Parameters<typeof fetch>[0],
  { method = "GET", headers, body }: RequestInit,
): MeshRequest {
  if (input instanceof Request)
    throw new TypeError("the fetch of a test mesh takes a URL and what goes with it");
  const { pathname, search, host } = new URL(input);
  const bytes = bytesOf(body ?? undefined);
  return {
    head: {
      method,
      target: pathname + search,
      http: 1,
      headers: {
        ...Object.fromEntries(new Headers(headers)),
        host,
        "content-length": String(bytes.length),
      },
      headersBytes: 0,
    },
    body: bytes,
  };
}

function bytesOf(body: unknown): Buffer {
  if (body === undefined) return Buffer.alloc(0);
  if (typeof body === "string") return Buffer.from(body);
  if (body instanceof Uint8Array) return Buffer.from(body);
  throw new TypeError("the fetch of a test mesh takes texts and bytes as bodies");
}

/** The same request, which has waited for so long. */
export function laterBy({ head, body }: MeshRequest, ms: number): MeshRequest {
  const timeout = head.headers[timeoutHeader];
  if (typeof timeout !== "string") return { head, body };
  const left = String(Math.max(1, Math.ceil(Number(timeout) - ms)));
  return { head: { ...head, headers: { ...head.headers, [timeoutHeader]: left } }, body };
}

export function responseOf({ status, headers, body }: HttpAnswer): Response {
  return new Response(body.length === 0 ? null : Buffer.from(body), { status, headers });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { routes } from "../../test/ingress-bed.ts";
import { acceptHead, callOf } from "./accept.ts";
import { Body } from "./body.ts";
import { dialectOf } from "./dialect/index.ts";
import { frameMessage } from "./dialect/message.ts";
import type { RequestHead } from "./head.ts";
import { callMsMax } from "./limits.ts";
import { Refusal } from "./refusal.ts";

const latin1 = fc.string({
  unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)),
});
const names = fc.constantFrom(
  "content-type",
  "x-voda-session",
  "x-voda-namespace",
  "x-voda-agent",
  "idempotency-key",
  "x-request-id",
  "x-voda-call",
  "traceparent",
  "grpc-timeout",
  "connect-timeout-ms",
  "connect-protocol-version",
  "content-encoding",
  "cookie",
);
const likely = fc.constantFrom(
  "application/json",
  "application/grpc",
  "application/proto",
  "k",
  "%20",
  "1",
  "5S",
  "identity",
  "default",
  "probe",
);
const segment = fc.oneof(
  latin1,
  fc.constantFrom(
    "agents",
    "namespaces",
    "probe",
    "k",
    "echo",
    "%2F",
    "voda.api.v1.SessionService",
    "GetSession",
    "?connect=v1",
  ),
);
const head: fc.Arbitrary<RequestHead> = fc.record({
  method: fc.constantFrom("GET", "POST", "PUT"),
  target: fc.array(segment, { maxLength: 7 }).map((parts) => `/${parts.join("/")}`),
  http: fc.constantFrom(1, 2),
  headersBytes: fc.nat(70_000),
  headers: fc.dictionary(names, fc.oneof(latin1, likely)),
});

test("any head is a call or is refused, and a refusal can be said in its protocol", () => {
  fc.assert(
    fc.property(head, fc.boolean(), (one, isFromEdge) => {
      const dialect = dialectOf(one);
      try {
        const accepted = acceptHead(one, { dialect, routes, nowMs: 0, isFromEdge });
        const call = callOf(accepted, new Uint8Array(0), 1);
        assert.ok(call.head.deadlineMs <= callMsMax);
      } catch (error) {
        assert.ok(error instanceof Refusal, String(error));
        const response = dialect.refusal(error.failure, error.status);
        for (const value of Object.values(response.headers)) assert.match(value, /^[\x20-\x7e]*$/);
      }
    }),
    { numRuns: 5000 },
  );
});

test("any bytes in any chunks are one message or are refused", () => {
  const types = fc.constantFrom(
    "application/grpc",
    "application/grpc-web",
    "application/grpc-web-text",
    "application/proto",
    "application/json",
  );
  const chunk = fc.oneof(
    fc.uint8Array({ maxLength: 12, size: "max" }),
    fc.uint8Array({ maxLength: 9 }).map((bytes) => new Uint8Array(frameMessage(bytes))),
  );
  fc.assert(
    fc.property(types, fc.array(chunk, { maxLength: 4 }), (type, chunks) => {
      const changed: RequestHead = {
        method: "POST",
        target: "/a.B/C",
        http: 2,
        headersBytes: 0,
        headers: { "content-type": type },
      };
      const dialect = dialectOf(changed);
      const body = new Body(dialect);
      try {
        for (const bytes of chunks) if (body.push(Buffer.from(bytes)) !== undefined) return;
        assert.ok(
          dialect.message(body.complete(), changed).length <=
            chunks.reduce((sum, bytes) => sum + bytes.length, 0),
        );
      } catch (error) {
        assert.ok(error instanceof Refusal, String(error));
      }
    }),
    { numRuns: 3000 },
  );
});

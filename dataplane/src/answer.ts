// An answer as bytes: what a worker writes, a record keeps and a peer passes on. The first byte says what follows.
import { decodeFailure, encodeFailure, FrameError } from "./frame/index.ts";
import type { Answer } from "./invocation.ts";

const kinds = { json: 0, proto: 1, failure: 2 } as const;

export function encodeAnswer(answer: Answer): Uint8Array {
  const body = answer.ok ? answer.body : encodeFailure(answer.failure);
  const bytes = new Uint8Array(1 + body.length);
  bytes[0] = kinds[answer.ok ? answer.content : "failure"];
  bytes.set(body, 1);
  return bytes;
}

/** The body is a view of `bytes`. @throws FrameError */
export function decodeAnswer(bytes: Uint8Array): Answer {
  const body = bytes.subarray(1);
  switch (bytes[0]) {
    case kinds.json:
      return { ok: true, content: "json", body };
    case kinds.proto:
      return { ok: true, content: "proto", body };
    case kinds.failure:
      return { ok: false, failure: decodeFailure(body) };
    case undefined:
    default:
      throw new FrameError(`answer of unknown kind ${bytes[0]}`);
  }
}

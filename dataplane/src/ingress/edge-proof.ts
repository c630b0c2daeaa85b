// Tells requests that came through the mesh's own Envoy from those of anybody else who reaches this port
// (PROTOCOL.md 10.4).
import { timingSafeEqual } from "node:crypto";
import { headers } from "@voda/proto/wire";
import { headerOf, type RequestHead } from "./head.ts";

/**
 * With the proof `x-request-id` is Envoy's own, which it repeats when it tries again, and `x-voda-grant` is
 * the picker's; Envoy has checked Host and Origin, and answers for the resets of many clients on one
 * connection. Without it none of this is so.
 */
export interface EdgeProof {
  /** The secret as it is stored; until the first one comes nobody has the proof. */
  set(secret: string | undefined): void;
  holds(head: RequestHead): boolean;
}

export function createEdgeProof(): EdgeProof {
  let secret: Buffer | undefined;
  return {
    set(text) {
      secret = text === undefined ? undefined : Buffer.from(text);
    },
    holds(head) {
      const proof = headerOf(head, headers.edge);
      if (proof === undefined || secret === undefined || proof.length !== secret.length) return false;
      // A header is Latin-1: as such it has as many bytes as characters.
      return timingSafeEqual(Buffer.from(proof, "latin1"), secret);
    },
  };
}

// Has every node load a bundle: before it is published, whether it runs at all, and after, until it runs
// there.
import { setTimeout as delay } from "node:timers/promises";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createInbox, type NatsConnection } from "@nats-io/transport-node";
import type { Agent } from "@voda/proto/api";
import { type TrialResult, TrialResultSchema, TrialSchema } from "@voda/proto/node";
import { bundleLoadMsMax, type Code, noResponders, trialSubject } from "@voda/proto/wire";
import { ControlError } from "../errors.ts";

/** A node answers within `bundleLoadMsMax`, and fetches the bundle before that. */
const trialMsMax = bundleLoadMsMax + 5_000;
/** Nodes that start with the mesh may come a moment after the first deployment. */
const firstNodeMsMax = 5_000;
/** Between two looks at who is expected: a node that died meanwhile will not answer. */
const pollMs = 50;

/** By what nodes are asked to try a bundle. */
export interface TrialContext {
  readonly connection: NatsConnection;
  /** Ids of the nodes that hold a lease. */
  readonly nodes: () => readonly string[];
}

/** @throws ControlError of the first node that refuses; `closed` when no node answers */
export async function tryOnNodes(
  { connection, nodes }: TrialContext,
  agents: readonly Agent[],
  published: boolean,
): Promise<void> {
  const body = toBinary(TrialSchema, create(TrialSchema, { agents: [...agents], published }));
  const results = new Map<string, TrialResult>();
  const inbox = createInbox();
  let heard = Promise.withResolvers<void>();
  let isAsked = false;
  const answers = connection.subscribe(inbox, {
    callback: (error, message) => {
      if (error !== null || message.headers?.code === noResponders) {
        isAsked = false;
        return;
      }
      const result = fromBinary(TrialResultSchema, message.data);
      results.set(result.node, result);
      heard.resolve();
    },
  });
  try {
    const startedMs = performance.now();
    for (;;) {
      if (!isAsked) connection.publish(trialSubject, body, { reply: inbox });
      isAsked = true;
      await Promise.race([heard.promise, delay(pollMs)]);
      heard = Promise.withResolvers();
      const refused = [...results.values()].find(({ code }) => code !== "");
      if (refused !== undefined) throw refusal(refused);
      // Looked up at each turn: a node that died while it was asked is not waited for, one that came is.
      const silent = nodes().filter((node) => !results.has(node));
      if (results.size > 0 && silent.length === 0) return;
      const waitedMs = performance.now() - startedMs;
      if (results.size + silent.length === 0 && waitedMs > firstNodeMsMax) throw nobody();
      if (waitedMs > trialMsMax) throw unanswered(silent, published);
    }
  } finally {
    answers.unsubscribe();
  }
}

function refusal({ code, reason, message }: TrialResult): ControlError {
  return new ControlError({ code: code as Code, reason, message });
}

function nobody(): ControlError {
  return ControlError.of(
    "closed",
    "no node is up to load the bundle, so it is not published; start a node and deploy again",
  );
}

function unanswered(nodes: readonly string[], published: boolean): ControlError {
  const what = published ? "is published, but" : "is not published:";
  return ControlError.of(
    "closed",
    `the bundle ${what} ${nodes.join(", ")} did not say within ${trialMsMax} ms that it runs there; deploy again`,
  );
}

// Answers whether this node runs a bundle that is about to be published, or was.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { Agent } from "@voda/proto/api";
import { TrialResultSchema, TrialSchema } from "@voda/proto/node";
import { reasons, trialSubject } from "@voda/proto/wire";
import { oneLine, wordsOf } from "@voda/stdx";
import type { Logger } from "pino";
import type { Bundles } from "./bundles.ts";

/** A trial asks each node before a deployment is published, and again after it. */
export interface TrialsOptions {
  readonly connection: NatsConnection;
  readonly node: string;
  readonly bundles: Bundles;
  readonly log: Logger;
  /**
   * Loads the bundle beside what runs. Rejects with what it did when it does not load or does not have these
   * agents.
   */
  readonly onTrial: (agents: readonly Agent[], bundleFile: string) => Promise<void>;
  /** Resolves when these agents run here in this revision. */
  readonly onPublished: (agents: readonly Agent[]) => Promise<void>;
}

/**
 * Every trial gets an answer, a failed one the reason in one line; the asker waits for each node that lives.
 */
export function openTrials({ connection, node, bundles, log, ...options }: TrialsOptions): Disposable {
  /** One line for the person who deploys; empty means that it runs. */
  const problemOf = async (message: Msg): Promise<string> => {
    try {
      const { agents, published } = fromBinary(TrialSchema, message.data);
      const [first] = agents;
      if (first === undefined) return "the trial names no agent";
      if (published) await options.onPublished(agents);
      else await options.onTrial(agents, await bundles.fileOf(first.revision));
      return "";
    } catch (err) {
      log.info({ err }, "a bundle does not run here"); // whoever deploys is told
      return oneLine(wordsOf(err));
    }
  };
  const answer = async (message: Msg): Promise<void> => {
    const problem = await problemOf(message);
    const refusal = {
      code: reasons.bad_request,
      reason: "bad_request",
      message: `on node ${node}: ${problem}`,
    };
    message.respond(
      toBinary(TrialResultSchema, create(TrialResultSchema, { node, ...(problem !== "" && refusal) })),
    );
  };
  const trials = connection.subscribe(trialSubject, {
    callback: (error, message) => {
      if (error === null) void answer(message);
    },
  });
  return { [Symbol.dispose]: () => trials.unsubscribe() };
}

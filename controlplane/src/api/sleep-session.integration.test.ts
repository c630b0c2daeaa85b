// Who is told to put a session to sleep that no node has reported.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { NodeService, SessionService, SessionStatus } from "@voda/proto/api";
import { CommandKind } from "@voda/proto/node";
import { sessionToken } from "@voda/proto/session";
import { laneSubjects } from "@voda/proto/wire";
import { startNats, waitUntil } from "@voda/test/kit";
import { openTestControlPlane } from "../../test/test-control-plane.ts";
import { TestNode } from "../../test/test-node.ts";

/** As far as the control plane reads a record: envelope, flags, and the life that wrote it. */
const recordOf = (writer: string): Buffer => Buffer.from("00".repeat(17) + writer, "hex");
const [living, gone] = ["a".repeat(32), "b".repeat(32)] as const;

test("sleep reaches the living node that wrote the last record, which nobody has reported or sent there", async () => {
  await using nats = await startNats();
  await using controlPlane = await openTestControlPlane(nats.url);
  const transport = createConnectTransport({ baseUrl: `http://${controlPlane.api}`, httpVersion: "1.1" });
  const nodes = createClient(NodeService, transport);
  const sessions = createClient(SessionService, transport);
  await using node = await TestNode.open({ nats: nats.url, id: "n1", incarnation: living });
  await waitUntil(async () => (await nodes.listNodes({})).nodes.length === 1, "the node is known");
  const connection = await connect({ servers: nats.url });
  for (const [key, writer] of Object.entries({ owned: living, left: gone })) {
    const session = { namespace: "default", agent: "counter", key };
    await jetstream(connection).publish(laneSubjects(sessionToken(session)).plain, recordOf(writer));
    const answer = await sessions.sleepSession({ session });
    assert.equal(answer.session?.status, SessionStatus.ASLEEP);
  }
  await connection.close();
  const commands = node.commands.map(({ kind, key }) => [kind, key]);
  assert.deepEqual(commands, [[CommandKind.SLEEP, "owned"]]);
});

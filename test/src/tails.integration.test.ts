// Sessions whose records lie far apart in the log, and whose node dies: nats-server must not look at what
// lies between them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bellSubjects, logStream } from "@voda/proto/wire";
import { call, openTwoNodes, waitUntil } from "./kit/index.ts";

/** What is asked of the log: the last record of a session, the one at a sequence, or all from one on. */
interface Read {
  readonly seq?: number;
  readonly next_by_subj?: string;
}

const { cluster, n1, n2 } = await openTwoNodes();
const keys = ["near", "far"];
/** Messages of others between two records of each session. */
const others = 100_000;
const batch = 20_000;

test("a wake reads the records of a tail that lies wide one by one", async () => {
  const nats = await cluster.nats.connect();
  const add = async (input: number): Promise<void> => {
    for (const key of keys) assert.equal((await call(n1.url, `probe/${key}/add`, { input })).status, 200);
  };
  const fill = async (): Promise<void> => {
    for (let count = 0; count < others; count += batch) {
      for (let i = 1; i < batch; i += 1) nats.publish("v.log.others.token.d.p");
      await nats.request("v.log.others.token.d.p", undefined, { timeout: 20_000 });
    }
  };
  await add(1);
  await fill();
  await add(10);
  await fill();
  await add(100);
  const reads: Read[] = [];
  nats.subscribe(`$JS.API.DIRECT.GET.${logStream(0)}`, {
    callback: (_, message) => void reads.push(message.json<Read>()),
  });
  await n1.kill9();
  for (const key of keys) {
    const answer = await waitUntil(async () => {
      const { status, body } = await call(n2.url, `probe/${key}/get`);
      return status === 200 && (body as { count: number }).count;
    }, `${key} is served by the other node`);
    assert.equal(answer, 111);
  }
  const ofTails = reads.filter((read) => read.seq !== undefined && read.next_by_subj !== bellSubjects);
  assert.ok(ofTails.length >= keys.length * 2, JSON.stringify(reads));
  for (const read of ofTails) assert.deepEqual(Object.keys(read), ["seq"]);
});

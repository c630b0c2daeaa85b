import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ListNodesResponseSchema, type LostSession, LostSessionSchema } from "@voda/proto/api";
import { lostFinding } from "./lost-sessions.ts";

const lost = (key: string, lastSequence: bigint, namespace = "default"): LostSession =>
  create(LostSessionSchema, {
    session: { namespace, agent: "counter", key },
    acknowledgedPosition: 6n,
    acknowledgedSequence: 40n,
    lastSequence,
  });

const nodes = {
  listNodes: () => Promise.resolve(create(ListNodesResponseSchema)),
};

/** A control plane with these pages. */
const pages = (...all: LostSession[][]) => ({
  nodes,
  sessions: {
    async listLostSessions({ pageToken = "" }: { pageToken?: string }) {
      const at = Number(pageToken);
      const nextPageToken = at + 1 < all.length ? String(at + 1) : "";
      return {
        $typeName: "voda.api.v1.ListLostSessionsResponse",
        sessions: all[at] ?? [],
        nextPageToken,
      } as const;
    },
  },
});

test("sessions that lost records are named over all pages, with what is left and what was there", async () => {
  const { ok, found, fix } = await lostFinding(pages([], [lost("a", 12n)], [lost("b", 0n, "eu")]));
  assert.equal(ok, false);
  assert.equal(
    found,
    "2 lost acknowledged records: " +
      "counter/a has its record at sequence 12 (position 6, sequence 40 was acknowledged); " +
      "eu:counter/b has nothing (position 6, sequence 40 was acknowledged)",
  );
  assert.match(fix ?? "", /put back a copy.*npx voda accept-loss AGENT\/KEY/);
});

test("more than ten are counted; none, and a mesh that does not run, are right", async () => {
  const many = Array.from({ length: 13 }, (_, i) => lost(`k${i}`, 1n));
  assert.match((await lostFinding(pages(many))).found, /^13 lost .* counter\/k9 has .*, and 3 more$/);
  assert.deepEqual((await lostFinding(pages([]))).ok, true);
  assert.deepEqual((await lostFinding(undefined)).found, "not looked at: the mesh does not run");
});

test("a mesh that does not answer is a finding, not a failure of the doctor", async () => {
  const sessions = { listLostSessions: () => Promise.reject(new Error("refused")) };
  const { ok, found } = await lostFinding({ nodes, sessions });
  assert.deepEqual([ok, found], [false, "cannot be looked at: refused"]);
});

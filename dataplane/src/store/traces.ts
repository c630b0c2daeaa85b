// Whether anything is left of a session whose last record is not there.
import type { Traces } from "@voda/proto/mark";
import type { SessionToken } from "@voda/proto/session";
import { laneSubjects, logStream } from "@voda/proto/wire";
import { fromLeader, type Requests } from "../nats/index.ts";

/**
 * From the leader. Both are looked at, each by an index of its own: what damage hides from one, the other may
 * still show. They are asked for at once, since a session that is born waits for both; only a name without
 * records is looked at again. It is written after the first record, so that one may have come in between.
 */
export async function readTraces(requests: Requests, token: SessionToken): Promise<Traces> {
  const { name, fence } = laneSubjects(token);
  const record = (): ReturnType<typeof fromLeader> =>
    fromLeader(requests, logStream(0), { seq: 1, next_by_subj: fence });
  const [named, first] = await Promise.all([
    fromLeader(requests, logStream(0), { last_by_subj: name }),
    record(),
  ]);
  if (first !== undefined) return "records";
  if (named === undefined) return "nothing";
  return (await record()) === undefined ? "name" : "records";
}

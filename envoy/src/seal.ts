import { createHash } from "node:crypto";
import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { SnapshotRefusedError } from "./errors.ts";
import {
  ClusterLoadAssignmentSchema,
  ClusterSchema,
  ListenerSchema,
  RouteConfigurationSchema,
} from "./resource/types.ts";
import { problems } from "./snapshot/check.ts";
import { assignmentName, type Sealed, type SealedSnapshot, type Snapshot } from "./snapshot/snapshot.ts";

const versionCharacters = 32;

/**
 * Checks the snapshot and encodes each resource once. @throws SnapshotRefusedError when it is not consistent
 */
export function seal(snapshot: Snapshot): SealedSnapshot {
  const found = problems(snapshot);
  if (found.length > 0) throw new SnapshotRefusedError(found);
  const { clusters, assignments, listeners, routes } = snapshot;
  return {
    resources: {
      cluster: sealAll(ClusterSchema, clusters, (one) => one.name),
      assignment: sealAll(ClusterLoadAssignmentSchema, assignments, (one) => one.clusterName),
      listener: sealAll(ListenerSchema, listeners, (one) => one.name),
      route: sealAll(RouteConfigurationSchema, routes, (one) => one.name),
    },
    assignmentOf: new Map(
      clusters.flatMap((cluster) => {
        const name = assignmentName(cluster);
        return name === undefined ? [] : [[cluster.name, name]];
      }),
    ),
  };
}

function sealAll<Desc extends DescMessage>(
  schema: Desc,
  list: readonly MessageShape<Desc>[],
  nameOf: (one: MessageShape<Desc>) => string,
): Map<string, Sealed> {
  return new Map(
    list.map((one) => {
      const body = toBinary(schema, one);
      const version = createHash("sha256").update(body).digest("hex").slice(0, versionCharacters);
      return [nameOf(one), { name: nameOf(one), version, body }];
    }),
  );
}

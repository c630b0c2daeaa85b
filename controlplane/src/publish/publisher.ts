import { SnapshotRefusedError, type XdsServer } from "@voda/envoy";
import type { IngressConfig, IngressNode } from "./config.ts";
import { ingressSnapshot } from "./snapshot.ts";

/** A node as its lease describes it. */
export interface ReportedNode {
  readonly id: string;
  /** `ip:port`; the same text is the hint that clients echo. */
  readonly ingress: string;
  readonly draining: boolean;
}

/** What is published to, and who hears of a set of nodes that was not. */
export interface PublisherOptions extends IngressConfig {
  readonly xds: Pick<XdsServer, "publish">;
  /** A set of nodes was not published (two nodes have one address); the proxies keep the last one. */
  readonly onRefused: (error: SnapshotRefusedError) => void;
  /** The last node has gone: the proxies keep its address, for it is likely to come back there. */
  readonly onNoNodes: () => void;
}

/** Publishes until it is disposed of; the proxies keep what they have then. */
export interface Publisher extends Disposable {
  /**
   * All nodes that are alive. Changes within one tick of the event loop are published as one. Until the first
   * call proxies keep what they have from before: call it when the nodes are known, with an empty list only
   * when there is really none.
   * @throws RangeError when an ingress is not `ip:port`
   */
  setNodes(nodes: readonly ReportedNode[]): void;
}

/**
 * With no node at all the API is published and calls are told so; from the first node on the last nodes stay,
 * whatever is reported.
 */
export function openPublisher(options: PublisherOptions): Publisher {
  let waiting: readonly IngressNode[] | undefined;
  let hadNodes = false;
  let hasNodes = false;
  let closed = false;
  const publishWaiting = (): void => {
    const nodes = waiting;
    waiting = undefined;
    if (nodes === undefined || closed) return;
    const hasLost = hasNodes && nodes.length === 0;
    hasNodes = nodes.length > 0;
    if (hasLost) options.onNoNodes();
    if (hadNodes && !hasNodes) return;
    try {
      options.xds.publish(ingressSnapshot(options, hasNodes ? nodes : undefined));
      hadNodes ||= hasNodes;
    } catch (error) {
      if (!(error instanceof SnapshotRefusedError)) throw error;
      options.onRefused(error);
    }
  };

  return {
    setNodes(nodes) {
      const parsed = nodes.map(parseNode);
      if (waiting === undefined) setImmediate(publishWaiting);
      waiting = parsed;
    },
    [Symbol.dispose]() {
      closed = true;
    },
  };
}

const portMax = 65_535;

function parseNode({ id, ingress, draining }: ReportedNode): IngressNode {
  const at = ingress.lastIndexOf(":");
  const port = Number(ingress.slice(at + 1));
  const host = ingress.slice(0, at).replace(/^\[(.*)\]$/, "$1");
  if (at < 1 || !/^\d+$/.test(ingress.slice(at + 1)) || port < 1 || port > portMax) {
    throw new RangeError(
      `node ${id} reports the ingress ${JSON.stringify(ingress)}; it must be ip:port with a port of 1 to ${portMax}`,
    );
  }
  return { id, host, port, draining };
}

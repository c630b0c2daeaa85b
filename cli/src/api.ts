// Clients of the control plane's API, reached through Envoy.
import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { AgentService, NodeService, PlacementService, QuotaService, SessionService } from "@voda/proto/api";

/** The services of `voda.api.v1`, over one transport. */
export interface Api {
  readonly agents: Client<typeof AgentService>;
  readonly sessions: Client<typeof SessionService>;
  readonly nodes: Client<typeof NodeService>;
  readonly placement: Client<typeof PlacementService>;
  readonly quotas: Client<typeof QuotaService>;
}

/** Where `voda up` listens unless it is told otherwise. */
export const defaultUrl = "http://127.0.0.1:4000";
const timeoutMs = 30_000;

/** Opens no connection yet: a mesh that is not there shows at the first call. */
export function connectApi(url: string): Api {
  return apiOver({ baseUrl: url });
}

/** The control plane itself, by its unix socket: what started it needs no Envoy in between. */
export function connectApiSocket(socketPath: string): Api {
  return apiOver({ baseUrl: "http://localhost", nodeOptions: { socketPath } });
}

function apiOver(at: {
  readonly baseUrl: string;
  readonly nodeOptions?: { readonly socketPath: string };
}): Api {
  const transport = createConnectTransport({ ...at, httpVersion: "1.1", defaultTimeoutMs: timeoutMs });
  return {
    agents: createClient(AgentService, transport),
    sessions: createClient(SessionService, transport),
    nodes: createClient(NodeService, transport),
    placement: createClient(PlacementService, transport),
    quotas: createClient(QuotaService, transport),
  };
}

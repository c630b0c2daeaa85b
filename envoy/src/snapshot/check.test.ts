import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { address, any, endpoint, overAds } from "../resource/build.ts";
import {
  type Cluster,
  ClusterLoadAssignmentSchema,
  ClusterSchema,
  ExtAuthzSchema,
  HttpConnectionManagerSchema,
  type LbEndpointSchema,
  ListenerSchema,
  RouteConfigurationSchema,
  RouterSchema,
  type RouteSchema,
} from "../resource/types.ts";
import { problems } from "./check.ts";
import type { Snapshot } from "./snapshot.ts";

const eds = (name: string): Cluster =>
  create(ClusterSchema, { name, edsClusterConfig: { edsConfig: overAds() } });
const assignment = (clusterName: string, ports: readonly number[]) =>
  create(ClusterLoadAssignmentSchema, {
    clusterName,
    endpoints: [{ lbEndpoints: ports.map((port) => endpoint("10.0.0.1", port)) }],
  });
const routes = (cluster: string) =>
  create(RouteConfigurationSchema, {
    name: "r",
    virtualHosts: [
      {
        routes: [
          { action: { case: "route", value: { clusterSpecifier: { case: "cluster", value: cluster } } } },
        ],
      },
    ],
  });
const listener = (port: number, asks: string, route = "r") =>
  create(ListenerSchema, {
    name: "l",
    address: address("0.0.0.0", port),
    filterChains: [
      {
        filters: [
          {
            configType: {
              case: "typedConfig",
              value: any(HttpConnectionManagerSchema, {
                routeSpecifier: { case: "rds", value: { routeConfigName: route } },
                httpFilters: [
                  {
                    configType: {
                      case: "typedConfig",
                      value: any(ExtAuthzSchema, {
                        services: {
                          case: "httpService",
                          value: { serverUri: { httpUpstreamType: { case: "cluster", value: asks } } },
                        },
                      }),
                    },
                  },
                ],
              }),
            },
          },
        ],
      },
    ],
  });

const good: Snapshot = {
  clusters: [eds("a")],
  assignments: [assignment("a", [1, 2])],
  listeners: [listener(80, "a")],
  routes: [routes("a")],
};

test("a consistent snapshot has no problems", () => {
  assert.deepEqual(problems(good), []);
  assert.deepEqual(problems({ ...good, assignments: [assignment("a", [1, 65_535])] }), []);
});

type Hosts = NonNullable<MessageInitShape<typeof LbEndpointSchema>["hostIdentifier"]>;
const endpointsOf = (hostIdentifier: Hosts) =>
  create(ClusterLoadAssignmentSchema, {
    clusterName: "a",
    endpoints: [{ lbEndpoints: [{ hostIdentifier }] }],
  });
const byName: Hosts = { case: "endpointName", value: "n1" };
const piped: Hosts = {
  case: "endpoint",
  value: { address: { address: { case: "pipe", value: { path: "n1" } } } },
};
const hostless: Hosts = { case: "endpoint", value: { address: address("", 1) } };
/** A filter whose configuration comes from elsewhere. */
const discovered = {
  configType: { case: "configDiscovery" as const, value: { configSource: overAds() } },
};

const cases: readonly [string, Partial<Snapshot>, RegExp][] = [
  [
    "a route to an unknown cluster",
    { routes: [routes("b")] },
    /sends to the cluster "b", which is not there/,
  ],
  [
    "a cluster without its assignment",
    { clusters: [eds("a"), eds("b")] },
    /"b" waits for the assignment "b"/,
  ],
  [
    "an assignment without a cluster",
    { assignments: [...good.assignments, assignment("b", [1])] },
    /"b" belongs to no cluster/,
  ],
  [
    "an endpoint that is only a name",
    { assignments: [endpointsOf(byName)] },
    /an endpoint without an address/,
  ],
  ["a socket without a folder", { assignments: [endpointsOf(piped)] }, /the socket "n1" is no absolute path/],
  ["an empty set of endpoints", { assignments: [assignment("a", [])] }, /"a" is empty/],
  ["an endpoint twice", { assignments: [assignment("a", [1, 1])] }, /10.0.0.1:1 twice/],
  ["port 0 of an endpoint", { assignments: [assignment("a", [0])] }, /10.0.0.1:0 is not in 1 to 65535/],
  [
    "port 70000 of a listener",
    { listeners: [listener(70_000, "a")] },
    /listener "l": the port of 0.0.0.0:70000/,
  ],
  ["a cluster twice", { clusters: [eds("a"), eds("a")] }, /cluster "a" is there twice/],
  [
    "a listener without its routes",
    { listeners: [listener(80, "a", "s")] },
    /waits for the route configuration "s"/,
  ],
  ["a filter that asks an unknown cluster", { listeners: [listener(80, "p")] }, /asks the cluster "p"/],
  ["no listener", { listeners: [] }, /no listener/],
  [
    "a route configuration without routes",
    { routes: [create(RouteConfigurationSchema, { name: "r" })] },
    /"r" has no route/,
  ],
  [
    "a listener whose port has a name",
    {
      listeners: [
        create(ListenerSchema, {
          name: "l",
          address: {
            address: {
              case: "socketAddress",
              value: { address: "::", portSpecifier: { case: "namedPort", value: "http" } },
            },
          },
        }),
      ],
    },
    /the port of :::0 is not in 1 to 65535/,
  ],
  [
    "a listener whose address is no port of a host",
    { listeners: [create(ListenerSchema, { name: "l" })] },
    /listener "l": an address is not an IP address with a port/,
  ],
  ["an endpoint without a host", { assignments: [endpointsOf(hostless)] }, /the address :1 has no host/],
];
for (const [what, change, problem] of cases) {
  test(`${what} is a problem`, () => {
    const found = problems({ ...good, ...change });
    assert.equal(found.length, 1, found.join("; "));
    assert.match(found[0] ?? "", problem);
  });
}

/** One route, which does that. */
const routeWith = (action: NonNullable<MessageInitShape<typeof RouteSchema>["action"]>) =>
  create(RouteConfigurationSchema, { name: "r", virtualHosts: [{ routes: [{ action }] }] });
const weighted = (...names: readonly string[]) =>
  routeWith({
    case: "route",
    value: {
      clusterSpecifier: {
        case: "weightedClusters",
        value: { clusters: names.map((name) => ({ name })) },
      },
    },
  });
const harmless: readonly [string, Partial<Snapshot>][] = [
  [
    "a route that Envoy answers by itself",
    { routes: [routeWith({ case: "directResponse", value: { status: 503 } })] },
  ],
  ["a route to known clusters by weight", { routes: [weighted("a", "a")] }],
  [
    "a route to the cluster that a header names",
    {
      routes: [
        routeWith({ case: "route", value: { clusterSpecifier: { case: "clusterHeader", value: "to" } } }),
      ],
    },
  ],
  [
    "a cluster with its endpoints in it",
    {
      clusters: [
        ...good.clusters,
        create(ClusterSchema, { name: "c", loadAssignment: assignment("c", [3]) }),
      ],
    },
  ],
  [
    "a listener with filters that speak no HTTP, that come from elsewhere, or that ask nobody",
    {
      listeners: [
        create(ListenerSchema, {
          name: "l",
          address: address("0.0.0.0", 80),
          filterChains: [
            {
              filters: [
                discovered,
                { configType: { case: "typedConfig", value: any(RouterSchema, {}) } },
                {
                  configType: {
                    case: "typedConfig",
                    value: any(HttpConnectionManagerSchema, {
                      httpFilters: [
                        discovered,
                        { configType: { case: "typedConfig", value: any(RouterSchema, {}) } },
                      ],
                    }),
                  },
                },
              ],
            },
          ],
        }),
      ],
    },
  ],
];
for (const [what, change] of harmless) {
  test(`${what} is no problem`, () => {
    assert.deepEqual(problems({ ...good, ...change }), []);
  });
}

test("an unknown cluster among those of a weighted route is a problem", () => {
  assert.deepEqual(problems({ ...good, routes: [weighted("a", "b")] }), [
    'route configuration "r" sends to the cluster "b", which is not there',
  ]);
});

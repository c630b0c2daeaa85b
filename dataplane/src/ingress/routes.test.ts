import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type Agent, AgentSchema, MethodAccess, MethodMode, MethodOnBusy } from "@voda/proto/api";
import { createRoutes } from "./routes.ts";

function agent(name: string, methods: readonly string[], service = "", namespace = "default"): Agent {
  return create(AgentSchema, {
    namespace,
    name,
    turnMsMax: 500,
    dedupeMs: 60_000,
    methods: methods.map((method) => ({
      name: method,
      mode: method.startsWith("get") ? MethodMode.READONLY : MethodMode.HANDLER,
      service,
      rpc: service === "" ? "" : method,
    })),
  });
}

function failed(route: ReturnType<ReturnType<typeof createRoutes>["plain"]>): {
  reason: string;
  message: string;
} {
  assert.ok("failure" in route, JSON.stringify(route));
  const { reason, message } = route.failure;
  return { reason, message };
}

test("a plain path finds the method with its mode and bounds", () => {
  const routes = createRoutes();
  routes.set(agent("cart", ["add", "get"]));
  const common = { agent: "cart", turnMsMax: 500, onBusy: "queue", dedupeMs: 60_000 };
  assert.deepEqual(routes.plain("default", "cart", "add"), { ...common, method: "add", readonly: false });
  assert.deepEqual(routes.plain("default", "cart", "get"), { ...common, method: "get", readonly: true });
});

test("an internal method is as none to clients, and a method may have a time of its own", () => {
  const routes = createRoutes();
  const shop = agent("shop", ["add", "tidy"]);
  for (const method of shop.methods) {
    if (method.name === "tidy") method.access = MethodAccess.INTERNAL;
    else Object.assign(method, { turnMsMax: 70_000, onBusy: MethodOnBusy.REJECT });
  }
  routes.set(shop);
  assert.deepEqual(failed(routes.plain("default", "shop", "tidy")), {
    reason: "method_not_found",
    message: "agent shop has no method tidy; it has: add",
  });
  const route = routes.plain("default", "shop", "add");
  assert.ok("turnMsMax" in route);
  assert.deepEqual([route.turnMsMax, route.onBusy], [70_000, "reject"]);
});

test("clients that may only look at workflows are told so, and others nothing of them", () => {
  const routes = createRoutes();
  for (const [name, open] of [
    ["trip", ["begin", "workflowStatus"]],
    ["vault", ["begin"]],
  ] as const) {
    const guarded = agent(name, ["begin", "workflowStatus", "startWorkflow"]);
    for (const method of guarded.methods)
      if (!open.some((one) => one === method.name)) method.access = MethodAccess.INTERNAL;
    routes.set(guarded);
  }
  assert.equal(
    failed(routes.plain("default", "trip", "startWorkflow")).message,
    "agent trip has no method startWorkflow; it has: begin, workflowStatus; clients may only look at its " +
      'workflows, unless it says .workflows({...}, { access: "public" })',
  );
  for (const [name, method] of [
    ["trip", "start"],
    ["vault", "startWorkflow"],
  ] as const)
    assert.doesNotMatch(failed(routes.plain("default", name, method)).message, /only look/);
});

test("an undeployed agent is refused with how to bring it back, until it is deployed again", () => {
  const routes = createRoutes();
  for (const name of ["cart", "shop"]) routes.set(agent(name, ["add"], `shop.v1.${name}`));
  routes.remove("default", "cart");
  const { reason, message } = failed(routes.plain("default", "cart", "add"));
  assert.equal(reason, "agent_not_found");
  assert.match(
    message,
    /cart was undeployed.*its sessions are kept, and deploying it again brings them back/,
  );
  assert.equal(failed(routes.rpc("shop.v1.cart", "add", "default", undefined)).reason, "method_not_found");
  assert.equal(failed(routes.rpc("shop.v1.shop", "add", "default", "cart")).reason, "agent_not_found");
  routes.set(agent("cart", ["add"]));
  assert.ok("method" in routes.plain("default", "cart", "add"));
});

test("an unknown agent or method is refused with what there is, of this namespace alone", () => {
  const routes = createRoutes();
  routes.set(agent("cart", ["add", "get"]));
  routes.set(agent("secret", ["add"], "", "other"));
  assert.deepEqual(failed(routes.plain("default", "shop", "add")), {
    reason: "agent_not_found",
    message: "no agent shop in namespace default; deployed are: cart",
  });
  assert.equal(failed(routes.plain("default", "secret", "add")).reason, "agent_not_found");
  assert.deepEqual(failed(routes.plain("default", "cart", "buy")), {
    reason: "method_not_found",
    message: "agent cart has no method buy; it has: add, get",
  });
  assert.match(failed(routes.plain("empty", "cart", "add")).message, /deployed are: none/);
});

test("an rpc finds the one agent that implements its service", () => {
  const routes = createRoutes();
  routes.set(agent("cart", ["add"], "shop.v1.Cart"));
  const route = routes.rpc("shop.v1.Cart", "add", "default", undefined);
  assert.ok("agent" in route && route.agent === "cart" && route.method === "add");
  assert.equal(failed(routes.rpc("shop.v1.Cart", "drop", "default", undefined)).reason, "method_not_found");
  assert.equal(failed(routes.rpc("shop.v1.Cart", "add", "other", undefined)).reason, "method_not_found");
  assert.equal(failed(routes.rpc("shop.v1.Cart", "add", "default", "nobody")).reason, "agent_not_found");
});

test("a misspelt service or rpc is told with those there are, of this namespace alone", () => {
  const routes = createRoutes();
  routes.set(agent("cart", ["AddItem", "getCart"], "shop.v1.CartService"));
  routes.set(agent("counter", ["add"]));
  routes.set(agent("secret", ["add"], "secret.v1.Service", "other"));
  const message = (service: string, rpc: string, wanted?: string): string => {
    const { reason, message: words } = failed(routes.rpc(service, rpc, "default", wanted));
    assert.equal(reason, "method_not_found");
    return words;
  };
  assert.equal(
    message("shop.v1.CartService", "AddItm"),
    "agent cart does not implement shop.v1.CartService/AddItm; it has: AddItem, getCart",
  );
  assert.equal(
    message("shop.v1.CartServce", "AddItem"),
    "no agent in namespace default implements shop.v1.CartServce; implemented are: shop.v1.CartService",
  );
  assert.equal(
    message("shop.v1.CartService", "AddItem", "counter"),
    "agent counter does not implement shop.v1.CartService; it is implemented by cart",
  );
  assert.match(message("x".repeat(1_000), "y"), /^no agent in namespace default implements x{128}\.\.\.;/);
});

test("a service of two agents needs the name of one", () => {
  const routes = createRoutes();
  routes.set(agent("b", ["add"], "shop.v1.Cart"));
  routes.set(agent("a", ["add"], "shop.v1.Cart"));
  assert.match(
    failed(routes.rpc("shop.v1.Cart", "add", "default", undefined)).message,
    /implemented by a, b: say/,
  );
  const route = routes.rpc("shop.v1.Cart", "add", "default", "b");
  assert.ok("agent" in route && route.agent === "b");
});

test("a new revision takes the place of the one before", () => {
  const routes = createRoutes();
  routes.set(agent("cart", ["add"], "shop.v1.Cart"));
  routes.set(agent("cart", ["put"]));
  assert.equal(failed(routes.plain("default", "cart", "add")).reason, "method_not_found");
  assert.equal(failed(routes.rpc("shop.v1.Cart", "add", "default", undefined)).reason, "method_not_found");
});

test("a long list of names is cut", () => {
  const routes = createRoutes();
  for (let i = 10; i < 35; i += 1) routes.set(agent(`a${i}`, []));
  assert.match(failed(routes.plain("default", "x", "m")).message, /a29 and 5 more$/);
});

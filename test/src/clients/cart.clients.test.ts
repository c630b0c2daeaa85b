// The client programs of examples/cart/clients against a real mesh: set up as docs/clients.md says, all on
// one cart.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type RunningMesh, startMesh, waitUntil } from "../kit/index.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const clients = join(root, "examples/cart/clients");
const venv = join(root, ".voda/clients/python");
const python = join(venv, "bin/python");
const buf = join(root, "node_modules/.bin/buf");

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** Runs a program in a folder of the clients; its end is an answer, whatever the exit code. */
async function run(folder: string, command: string, ...args: string[]): Promise<Ended> {
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, { cwd: join(clients, folder) });
    return { code: 0, out: stdout, error: stderr };
  } catch (error) {
    const { code, stdout = "", stderr = "" } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (typeof code !== "number") throw error; // it did not start
    return { code, out: stdout, error: stderr };
  }
}

async function must(folder: string, command: string, ...args: string[]): Promise<void> {
  const { code, error } = await run(folder, command, ...args);
  assert.equal(code, 0, `${command} ${args.join(" ")} in ${folder}: ${error}`);
}

/** A missing language is a failure that names the fix, not a skip. */
async function needs(command: string, flag: string, fix: string): Promise<void> {
  const found = await run(".", command, flag).catch((error: unknown) => ({ code: -1, error: String(error) }));
  assert.equal(found.code, 0, `${command} is missing: ${fix} (${found.error.trim()})`);
}

async function preparePython(): Promise<void> {
  await needs(
    "python3",
    "--version",
    "install Python 3.10 to 3.14 with venv and pip, then run npm run test:clients again",
  );
  await must("python", "python3", "-m", "venv", venv);
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"];
  await must("python", python, ...pip, "--require-hashes", "-r", "requirements.txt");
  const out = ["--python_out=.", "--grpc_python_out=."];
  await must(
    "python",
    python,
    "-m",
    "grpc_tools.protoc",
    "-I",
    "../../../proto",
    ...out,
    "shop/v1/cart.proto",
  );
}

async function prepareGo(): Promise<void> {
  await needs(
    "go",
    "version",
    "install Go 1.26 or newer (https://go.dev/dl), then run npm run test:clients again",
  );
  await must("go", buf, "generate", "../../../proto");
  await must(
    "go",
    "go",
    "build",
    "-mod=readonly",
    "-o",
    join(root, ".voda/clients/go/"),
    "./grpc",
    "./connect",
  );
}

let mesh: RunningMesh;
before(
  async () => {
    await Promise.all([preparePython(), prepareGo()]);
    mesh = await startMesh();
  },
  { timeout: 540_000 },
);
after(() => mesh?.[Symbol.asyncDispose]());

/** Puts some of `sku` into a cart and prints the cart. */
type Client = (cart: string, sku: string, quantity: number) => Promise<Ended>;

const host = (): string => new URL(mesh.url).host;
const curl: Client = async (cart, sku, quantity) => {
  const method = (name: string, body: object): Promise<Ended> => {
    const args = [
      "--silent",
      "--show-error",
      "--json",
      JSON.stringify(body),
      "-H",
      `x-voda-session: ${cart}`,
    ];
    return run(".", "curl", ...args, `${mesh.url}/shop.v1.CartService/${name}`);
  };
  const added = await method("AddItem", { sku, quantity });
  if (!added.out.includes('"cart"')) return { code: 1, out: "", error: added.out };
  const { code, out, error } = await method("GetCart", {});
  return { code, out: JSON.stringify((JSON.parse(out) as { cart: object }).cart), error };
};
const programs: Readonly<Record<string, Client>> = {
  "Python over gRPC": (cart, sku, quantity) =>
    run("python", python, "cart.py", host(), cart, sku, String(quantity)),
  "Go over gRPC": (cart, sku, quantity) =>
    run("go", join(root, ".voda/clients/go/grpc"), host(), cart, sku, String(quantity)),
  "Go over Connect": (cart, sku, quantity) =>
    run("go", join(root, ".voda/clients/go/connect"), mesh.url, cart, sku, String(quantity)),
  "TypeScript over Connect": (cart, sku, quantity) =>
    run("typescript", process.execPath, "cart.ts", mesh.url, cart, sku, String(quantity)),
  curl,
};

test("clients in Python, Go, TypeScript and curl fill one cart, each after the other", async () => {
  const lines: { sku: string; quantity: number }[] = [];
  for (const [name, add] of Object.entries(programs)) {
    const sku = `${lines.length} from ${name}`;
    lines.push({ sku, quantity: lines.length + 1 });
    const { code, out, error } = await add("shared", sku, lines.length);
    assert.equal(code, 0, `${name}: ${error}`);
    assert.deepEqual(
      JSON.parse(out),
      { lines, version: String(lines.length) },
      `the cart as ${name} sees it`,
    );
  }
});

test("each client shows the code and the message of a refusal, and nothing is stored", async () => {
  for (const [name, add] of Object.entries(programs)) {
    const { code, out, error } = await add("refused", "tea", 0);
    assert.notEqual(code, 0, `${name} ended well: ${out}`);
    assert.match(error, /invalid_?argument/i, name);
    assert.match(error, /quantity of 0 is less than 1/, name);
  }
  const { out } = await curl("refused", "tea", 1);
  assert.deepEqual(JSON.parse(out), { lines: [{ sku: "tea", quantity: 1 }], version: "1" });
});

/** The node that has the session dies, and with it whatever is on its way there. */
async function killOwner(cart: string): Promise<void> {
  await waitUntil(() => mesh.describe().nodes.every(({ pid }) => pid > 0), "all nodes run");
  const answer = await fetch(`${mesh.url}/agents/cart/${cart}/getCart`, { method: "POST" });
  const served = answer.headers.get("x-voda-host");
  assert.equal(answer.status, 200, await answer.text());
  const owner = mesh.describe().nodes.find(({ ingress }) => ingress === served);
  assert.ok(owner !== undefined, `${served} is a node`);
  process.kill(owner.pid, "SIGKILL");
}

test("generated clients add once, though the node of the cart is killed under them", async () => {
  const lines: { sku: string; quantity: number }[] = [];
  for (const [name, add] of Object.entries(programs)) {
    if (add === curl) continue;
    const sku = `${lines.length} from ${name}`;
    lines.push({ sku, quantity: 1 });
    await killOwner("killed");
    const { code, out, error } = await add("killed", sku, 1);
    assert.equal(code, 0, `${name}: ${error}`);
    assert.deepEqual(JSON.parse(out), { lines, version: String(lines.length) }, name);
  }
});

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  AgentService,
  MethodAccess,
  MethodMode,
  PlacementService,
  SessionService,
  SessionStatus,
} from "@voda/proto/api";
import { errorInfo, retryInfo } from "@voda/proto/errors";
import { temporaryFolder } from "../test/start.ts";
import { run } from "./program.ts";
import { programs } from "./programs.ts";
import { lock } from "./up/lock.ts";
import { freePorts } from "./up/ports.ts";

interface Ran {
  readonly code: number;
  readonly out: readonly string[];
  readonly err: readonly string[];
}

async function voda(...args: string[]): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await run(args, { out: (line) => out.push(line), err: (line) => err.push(line) });
  return { code, out, err };
}

async function serving(listener: RequestListener, work: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

for (const [name, args, says] of [
  ["an unknown command", ["fly"], /^voda: unknown command 'fly'/],
  [
    "a flag of another tool",
    ["dev", "--port", "8080"],
    /^voda: unknown option '--port' \(did you mean --ingress-port\?\); see `npx voda dev --help`$/,
  ],
  ["a header for a flag", ["call", "--idempotency-key=k"], /'--idempotency-key' \(did you mean --id\?\);/],
  ["an unknown flag", ["ps", "--fast"], /^voda: unknown option '--fast'.*; see `npx voda ps --help`$/],
  ["a missing argument", ["call", "counter/alice"], /missing required argument 'method'/],
  ["a number out of range", ["up", "--nodes", "99"], /'99' is invalid. write a whole number of 1 to 16/],
  ["a zone that is none", ["up", "--zones", "a,,b"], /'a,,b' is invalid. write names with commas between/],
  ["a mode that does not exist", ["up", "--durability", "maybe"], /Allowed choices are process, disk; see/],
  ["a quota of no name", ["quota", "ls", "x", "y"], /^voda: `quota ls` takes 0 arguments, not 2: x, y; see/],
  [
    "input that the shell has split",
    ["call", "counter/a", "add", "1", "2"],
    /^voda: `call` takes 3 arguments, not 4: counter\/a, add, 1, 2; quote what has spaces; see/,
  ],
  [
    "a namespace that is none",
    ["ps", "--namespace", "Team"],
    /'Team' is invalid: namespace "Team" is not a name/,
  ],
  ["an agent of nodes", ["ps", "counter", "--nodes"], /^voda: --nodes lists all nodes: leave counter out$/],
  [
    "an agent of letters",
    ["ps", "counter", "--dead"],
    /^voda: --dead lists all dead letters: leave counter out$/,
  ],
  [
    "two lists at once",
    ["ps", "--nodes", "--dead"],
    /^voda: --dead lists all dead letters: leave --nodes out$/,
  ],
  [
    "letters of a namespace",
    ["ps", "--dead", "--namespace", "a"],
    /^voda: --dead lists all dead letters: leave --namespace out$/,
  ],
  [
    "nodes of a namespace",
    ["ps", "--nodes", "--namespace", "a"],
    /^voda: --nodes lists all nodes: leave --namespace out$/,
  ],
  ["a letter of a namespace", ["dead", "drop", "1", "--namespace", "a"], /unknown option '--namespace'/],
  ["help of no command", ["fly", "--help"], /^voda: unknown command 'fly'/],
  [
    "help of no subcommand",
    ["quota", "fly", "-h"],
    /^voda: unknown command 'fly'.*see `npx voda quota --help`/,
  ],
  ["help for no command", ["help", "fly"], /^voda: unknown command 'fly'/],
  ["a command that is like no other", ["nope"], /^voda: unknown command 'nope'; see `npx voda --help`$/],
  ["a slip in a command", ["agent", "ls"], /^voda: unknown command 'agent' \(did you mean agents\?\); see/],
  [
    "a slip below a command",
    ["dead", "rety", "3"],
    /^voda: unknown command 'rety' \(did you mean retry\?\); see/,
  ],
  ["a command without the one above", ["retry", "3"], /'retry' \(did you mean dead retry\?\); see/],
  ["another tool's word", ["deploy"], /^voda: unknown command 'deploy' \(did you mean dev\?\); see/],
  ["ids and all", ["dead", "drop", "3", "--all"], /^voda: name ids, or all of them with --all: not both$/],
  ["neither ids nor all", ["dead", "drop"], /^voda: name ids, or all of them with --all$/],
  ["an agent without all", ["dead", "drop", "--to", "a"], /^voda: --to goes with --all$/],
  ["no zone", ["up", "--zones", ""], /digits, -, _ and \.; see/],
  ["a URL that is none", ["ps", "--url", "localhost:4000"], /write a URL such as http:\/\/127\.0\.0\.1:4000/],
  [
    "input that is not JSON",
    ["call", "counter/alice", "add", "{x:1}"],
    /the input is not JSON .*quote it for the shell/,
  ],
  ["a session without a key", ["sleep", "counter"], /"counter" names no session; write AGENT\/KEY/],
  [
    "a quota without a limit",
    ["quota", "set", "team"],
    /^voda: name at least one of --sessions, --cpu-milli/,
  ],
  [
    "a quota below zero",
    ["quota", "set", "team", "--sessions", "-1"],
    /'-1' is invalid. write a whole number of 0 to 4294967295/,
  ],
  [
    "a quota of a namespace that is none",
    ["quota", "delete", "Team"],
    /^voda: <namespace> 'Team' is invalid: namespace "Team" is not a name/,
  ],
  ["an agent that is none", ["agents", "undeploy", "A b"], /agent "A b" is not a name/],
  ["no command", [], /^voda: name a command/],
] as const) {
  test(`${name} is one line on standard error and exit code 2`, async () => {
    const { code, out, err } = await voda(...args);
    assert.equal(code, 2);
    assert.deepEqual(out, []);
    assert.equal(err.length, 1);
    assert.match(err[0] ?? "", says);
    assert.doesNotMatch(err[0] ?? "", /\n/);
  });
}

test("with --json every failure is one JSON value on standard output, with the message and the exit code", async () => {
  const [port] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  for (const [args, exitCode, says] of [
    [["top", "--url", url], 4, /^nothing answers at 127\.0\.0\.1:\d+; bring the mesh up/],
    [["explain", "placement", "counter/a", "--url", url], 4, /^nothing answers at/],
    [["explain", "placement", "counter"], 2, /names no session/],
    [["ps", "--fast"], 2, /unknown option '--fast'; see `npx voda ps --help`$/],
    [["bench", "wake", "--sessions", "x"], 2, /'x' is invalid.*; see `npx voda bench wake --help`$/],
  ] as const) {
    const { code, out, err } = await voda(...args, "--json");
    const message = (err[0] ?? "").replace("voda: ", "");
    assert.deepEqual([code, ...out], [exitCode, JSON.stringify({ error: { message, exitCode } })]);
    assert.match(message, says);
  }
});

test("help goes to standard output with exit code 0", async () => {
  const { code, out, err } = await voda("--help");
  assert.deepEqual([code, err], [0, []]);
  for (const command of [
    "up",
    "dev",
    "call",
    "ps",
    "sleep",
    "wake",
    "top",
    "explain",
    "quota",
    "agents",
    "bench",
    "doctor",
  ])
    assert.match(out.join("\n"), new RegExp(`^ {2}${command}\\b`, "m"));
});

test("help for a command below another is that command's", async () => {
  const { code, out } = await voda("help", "dead", "retry");
  assert.deepEqual([code, out.join().split("\n")[0]], [0, "Usage: voda dead retry [options] <id...>"]);
});

test("a mesh that is not there is exit code 4 and says how to bring it up", async () => {
  const [port] = await freePorts(1);
  for (const args of [
    ["call", "counter/alice", "get"],
    ["ps"],
    ["sleep", "counter/alice"],
    ["quota", "ls"],
  ]) {
    const { code, err } = await voda(...args, "--url", `http://127.0.0.1:${port}`);
    assert.equal(code, 4, err.join());
    assert.deepEqual(err, [
      `voda: nothing answers at 127.0.0.1:${port}; bring the mesh up with \`npx voda dev\`, or name its address with --url or VODA_URL`,
    ]);
  }
});

test("call posts the JSON with the idempotency key and prints the answer as it came", async () => {
  const seen: unknown[] = [];
  const listener: RequestListener = (request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      seen.push([request.method, request.url, request.headers["idempotency-key"], body]);
      response.end("9007199254740993");
    });
  };
  await serving(listener, async (url) => {
    const { code, out } = await voda("call", "counter/a/b", "add", "2", "--id", "once", "--url", url);
    assert.deepEqual([code, out], [0, ["9007199254740993"]]);
  });
  assert.deepEqual(seen, [["POST", "/agents/counter/a%2Fb/add", "once", "2"]]);
});

test("call of a method that returns nothing prints nothing, and null for programs", async () => {
  await serving(
    (_, response) => response.end(),
    async (url) => {
      const printed = async (...flags: string[]) =>
        (await voda("call", "counter/a", "reset", "--url", url, ...flags)).out;
      assert.deepEqual([await printed(), await printed("--json")], [[], ["null"]]);
    },
  );
});

test("a command in a folder whose mesh runs talks to that mesh", async () => {
  using folder = temporaryFolder();
  const dataDir = join(folder.path, ".voda");
  mkdirSync(dataDir);
  using held = lock(dataDir);
  await serving(
    (_, response) => response.end('"here"'),
    async (url) => {
      held.serves(url);
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [programs().cli, "call", "counter/a", "get"],
        {
          cwd: folder.path,
        },
      );
      assert.equal(stdout, '"here"\n');
    },
  );
});

/** A control plane that has deployed `counter`, of whose sessions nobody has called one. */
const unborn = connectNodeAdapter({
  routes: (router) => {
    router.service(AgentService, {
      listAgents: ({ namespace }) => ({ agents: namespace === "nope" ? [] : [{ name: "counter" }] }),
    });
    router.service(PlacementService, {
      explainPlacement: () => {
        throw new ConnectError("no decision is known", Code.NotFound);
      },
    });
    router.service(SessionService, {
      listSessions: () => ({ sessions: [] }),
      getSession: ({ session }) => ({
        session: { agent: session?.agent ?? "", key: session?.key ?? "", status: SessionStatus.UNBORN },
      }),
      acceptLoss: () => {
        throw new ConnectError("it has lost nothing", Code.InvalidArgument);
      },
      sleepSession: ({ session }) => ({
        session: { agent: session?.agent ?? "", key: session?.key ?? "", status: SessionStatus.UNBORN },
      }),
    });
  },
});

test("a name that is misspelt, or that nobody has called yet, is told with the next step", async () => {
  await serving(unborn, async (url) => {
    const misspelt = await voda("ps", "cuonter", "--url", url);
    assert.deepEqual(misspelt, {
      code: 3,
      out: [],
      err: [
        'voda: no agent "cuonter" in namespace default (did you mean counter?); ' +
          "`npx voda agents ls` lists the agents",
      ],
    });
    const early = await voda("ps", "counter", "--url", url);
    assert.deepEqual([early.code, early.out], [0, ["no sessions yet: the first call of a key begins one"]]);
    const slept = await voda("sleep", "counter/nope", "--url", url);
    assert.deepEqual([slept.code, slept.out], [0, ["counter/nope is not begun"]]);
    assert.match(slept.err[0] ?? "", /nothing to put to sleep; `npx voda ps counter` lists the sessions$/);
  });
});

test("sessions are listed by agent and key, numbers in keys by their size", async () => {
  const listed = ["k10", "k9", "a"].flatMap((key) => ["stock", "boss"].map((agent) => ({ agent, key })));
  const shuffled = connectNodeAdapter({
    routes: (router) => router.service(SessionService, { listSessions: () => ({ sessions: listed }) }),
  });
  await serving(shuffled, async (url) => {
    const { out } = await voda("ps", "--url", url);
    assert.deepEqual(out.join().match(/\w+\/\w+/g), [
      "boss/a",
      "boss/k9",
      "boss/k10",
      "stock/a",
      "stock/k9",
      "stock/k10",
    ]);
  });
});

test("who asks about a session that never was is told what is not there: its agent, or a call of it", async () => {
  await serving(unborn, async (url) => {
    for (const command of [["accept-loss"], ["explain", "placement"]]) {
      const misspelt = await voda(...command, "cuonter/a", "--url", url);
      assert.deepEqual([misspelt.code, misspelt.out], [3, []]);
      assert.match(
        misspelt.err[0] ?? "",
        /no agent "cuonter" in namespace default \(did you mean counter\?\)/,
      );
      const early = await voda(...command, "counter/nope", "--url", url);
      assert.equal(early.code, 3);
      assert.match(
        early.err[0] ?? "",
        /^voda: nothing of counter\/nope is stored yet: .*; `npx voda ps counter` lists the/,
      );
    }
    const elsewhere = await voda("ps", "--namespace", "nope", "--url", url);
    assert.deepEqual(elsewhere, { code: 0, out: [], err: ["voda: no agent is deployed in namespace nope"] });
  });
});

/** A control plane that has deployed an agent with handlers of all kinds. */
const described = connectNodeAdapter({
  routes: (router) =>
    router.service(AgentService, {
      listAgents: () => ({
        agents: [
          {
            name: "shop",
            turnMsMax: 60_000,
            methods: [
              { name: "has", mode: MethodMode.READONLY },
              { name: "buy", mode: MethodMode.HANDLER, turnMsMax: 500, description: "Sells one." },
              { name: "tidy", mode: MethodMode.HANDLER, access: MethodAccess.INTERNAL },
            ],
          },
        ],
      }),
    }),
});

test("a list of agents marks the handlers that clients may not call", async () => {
  await serving(described, async (url) => {
    const { out } = await voda("agents", "ls", "--url", url);
    assert.match(out[0]?.split("\n").at(-1) ?? "", /^shop .* has, buy, tidy \(internal\)$/);
  });
});

test("the methods of one agent are told with what stands beside them, and a misspelt one with the next step", async () => {
  await serving(described, async (url) => {
    const { out } = await voda("agents", "ls", "shop", "--url", url);
    assert.deepEqual(
      out[0]?.split("\n").map((line) => line.trim().split(/ {2,}/)),
      [
        ["METHOD", "MODE", "ACCESS", "MAX TURN", "DESCRIPTION"],
        ["has", "readonly", "public", "60.0 s"],
        ["buy", "handler", "public", "500 ms", "Sells one."],
        ["tidy", "handler", "internal", "60.0 s"],
      ],
    );
    const misspelt = await voda("agents", "ls", "shpo", "--url", url);
    assert.equal(misspelt.code, 3);
    assert.match(
      misspelt.err[0] ?? "",
      /^voda: no agent "shpo" in namespace default \(did you mean shop\?\)/,
    );
  });
});

test("a refused call tells programs its code, reason, request and delay", async () => {
  const details = [errorInfo("no_capacity"), retryInfo(1500)].map(({ type, value }) => ({
    type,
    value: Buffer.from(value).toString("base64").replace(/=+$/, ""),
  }));
  const refuse: RequestListener = (_, response) =>
    response
      .writeHead(429, { "x-request-id": "r-1" })
      .end(JSON.stringify({ code: "resource_exhausted", message: "no room", details }));
  await serving(refuse, async (url) => {
    const { out } = await voda("call", "counter/a", "get", "--json", "--url", url);
    const facts = { code: "resource_exhausted", reason: "no_capacity", request: "r-1", retryAfterMs: 1500 };
    assert.deepEqual(JSON.parse(out[0] ?? ""), {
      error: { message: "resource_exhausted: no room", exitCode: 1, ...facts },
    });
  });
});

test("a failed call of the mesh in this folder ends with the command that tells more", async () => {
  using folder = temporaryFolder();
  const dataDir = join(folder.path, ".voda");
  mkdirSync(dataDir);
  using held = lock(dataDir);
  const inLog = "the handler threw an Error; the log of node n1 has it";
  let message = "";
  const fails: RequestListener = (_, response) =>
    response.writeHead(500).end(JSON.stringify({ code: "internal", message }));
  await serving(fails, async (url) => {
    held.serves(url);
    const args = [programs().cli, "call", "counter/a", "get"];
    for (const [words, next] of [
      [`${inLog} as request r-1`, "npx voda logs --request r-1"],
      [`${inLog} as request r-1; the input was an object with a`, "npx voda logs --request r-1"],
      [inLog, "see .voda/logs/n1.log"],
    ] as const) {
      message = words;
      const called = promisify(execFile)(process.execPath, args, { cwd: folder.path });
      await assert.rejects(called, { stderr: `voda: internal: ${words}; ${next}\n` });
    }
  });
});

for (const [status, body, exitCode, says] of [
  [
    404,
    JSON.stringify({
      code: "not_found",
      message: 'agent "x" is not deployed',
      details: [errorInfo("agent_not_found")].map(({ type, value }) => ({
        type,
        value: Buffer.from(value).toString("base64"),
      })),
    }),
    3,
    /^voda: not_found: agent "x" is not deployed; `npx voda agents ls` lists the agents$/,
  ],
  [
    501,
    '{"code":"unimplemented","message":"no method fly"}',
    3,
    /no method fly; `npx voda agents ls` lists the methods of each agent$/,
  ],
  [503, "no healthy upstream", 4, /^voda: unavailable: HTTP 503 no healthy upstream; /],
  [429, '{"code":"resource_exhausted","message":"too large"}', 1, /^voda: resource_exhausted: too large$/],
  [500, '{"code":"internal","message":"bug"}', 1, /^voda: internal: bug$/],
] as const) {
  test(`HTTP ${status} becomes exit code ${exitCode}`, async () => {
    const refuse: RequestListener = (_, response) => response.writeHead(status).end(body);
    await serving(refuse, async (url) => {
      const { code, out, err } = await voda("call", "counter/alice", "get", "--url", url);
      assert.deepEqual([code, out, err.length], [exitCode, [], 1]);
      assert.match(err[0] ?? "", says);
    });
  });
}

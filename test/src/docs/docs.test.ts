// What the documentation says, compared with the code and the files.
import assert from "node:assert/strict";
import { existsSync, globSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { httpStatus } from "@voda/proto/error-body";
import { grpcCodes } from "@voda/proto/errors";
import { type Code, isRetryable, reasons } from "@voda/proto/wire";
import { programBenches } from "../../../cli/src/bench/program-benches.ts";
import { benches } from "../../../cli/src/bench/registry.ts";
import { jobs } from "../../../compute/bench/jobs.ts";
import { rooms } from "../../../tools/rooms.ts";
import { constantsOf, limitsNamed, sources } from "./constants.ts";
import { blocksOf, callsOf, documents, filesInGit, read, root } from "./documents.ts";

const linesMax = 120;

test("the table of errors has every reason with its code, statuses and whether it is sent again", () => {
  const rows = read("docs/errors.md")
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.split("|").map((cell) => cell.trim().replaceAll("`", "")));
  const said = rows.map(([, ...cells]) => cells.slice(0, 5).join(" "));
  const true_ = (Object.entries(reasons) as [string, Code][]).map(([reason, code]) => {
    return [reason, code, httpStatus[code], grpcCodes[code], again(reason, code)].join(" ");
  });
  assert.deepEqual(said, true_);
  for (const cells of rows) assert.ok((cells[6] ?? "").length > 10, `${cells[1]} says what it means`);
});

/** Named where no caller and no operator looks, by the reason. */
const innerLimits = {
  "of grants, which the control plane makes": ["grantBytesMax", "grantSecondsMax"],
  "of what Envoy asks of our server": ["streamsMax", "subscribedNamesMax"],
  "of the store and of vendors' tools, in a node's log": [
    "natsPayloadBytesMax",
    "pageBytesMax",
    "requestsMax",
    "storeErrorMsMax",
    "toolMsMax",
  ],
  "beyond what reports and stateBytesMax let come": ["amountMax", "nodesMax", "pagesMax"],
  "in compute/README.md": ["blocksMax", "bytesMax", "tasksMax"],
  "in docs/isolation.md": ["logLinesPerSecondMax", "threadLogLinesPerSecondMax"],
  "of a bench": ["sessionsMax"],
};

test("the page of limits has every limit that is named in what is refused", () => {
  const rows = [...read("docs/limits.md").matchAll(/^\| `(\w+)`/gm)].map(([, name = ""]) => name);
  const named = limitsNamed(sources());
  assert.ok(named.size > 40);
  assert.deepEqual(
    [...named].filter((name) => !rows.includes(name)).toSorted(),
    Object.values(innerLimits).flat().toSorted(),
  );
});

test("numbers of the documentation's tables are those of the code", () => {
  const constants = constantsOf(sources());
  const wrong = documents().flatMap((document) =>
    [...read(document).matchAll(/^\| `(\w+(?:Max|Ms|Seconds))` +\| ([\d,]+) +\|/gm)]
      .map(([, name = "", said = ""]) => ({ name, said: Number(said.replaceAll(",", "")) }))
      .filter(({ name, said }) => !constants.get(name)?.has(said))
      .map((row) => ({ document, ...row, true: [...(constants.get(row.name) ?? [])] })),
  );
  assert.deepEqual(wrong, []);
});

function again(reason: string, code: Code): string {
  if (reason === "user") return "as its code";
  if (isRetryable(code, reason, undefined)) return "yes";
  return isRetryable(code, reason, 1) ? "if it says when" : "no";
}

test("Go and Python in the documentation is text of programs that the clients' tests run", () => {
  const programs = globSync("examples/cart/clients/{python,go/*,typescript}/*.{py,go,ts}", { cwd: root }).map(
    read,
  );
  assert.equal(programs.length >= 4, true);
  const blocks = documents()
    .flatMap(blocksOf)
    .filter(({ language }) => language === "python" || language === "go");
  assert.equal(blocks.length, 3);
  for (const { document, text } of blocks)
    assert.ok(
      programs.some((program) => program.includes(text)),
      `${document} shows a program that is no file:\n${text}`,
    );
  const cart = read("examples/cart/clients/typescript/cart.ts");
  assert.ok(
    blocksOf("docs/clients.md").some(({ text }) => text === cart),
    "docs/clients.md shows typescript/cart.ts as it is",
  );
});

test("links of the documentation lead to files", () => {
  const broken = documents().flatMap((document) =>
    [...read(document).matchAll(/\]\((?!https?:)([^)#\s]+)[^)]*\)/g)]
      .map(([, link = ""]) => link)
      .filter((link) => !existsSync(join(root, dirname(document), link)))
      .map((link) => `${document}: ${link}`),
  );
  assert.deepEqual(broken, []);
});

test("source that the documentation names is there", () => {
  const inGit = filesInGit().map((path) => `/${path}`);
  const gone = documents().flatMap((document) =>
    [...read(document).matchAll(/`((?:[a-z][\w-]*\/)*[a-z][\w-]*(?:\.\w+)*\.(?:ts|mjs|proto|fbs))`/g)]
      .map(([, path = ""]) => path)
      .filter((path) => path !== "voda.config.ts" && !inGit.some((source) => source.endsWith(`/${path}`)))
      .map((path) => `${document}: ${path}`),
  );
  assert.deepEqual(gone, []);
});

test("the README of a room says where it begins, what decides, and what proves it", () => {
  const silent = documents()
    .filter((path) => /^(?!test|examples|tools)[a-z]+\/(src\/[a-z-]+\/)?README\.md$/.test(path))
    .filter((path) => !/^Entry:\s.+Decides:\s.+Proof:\s.+/ms.test(read(path)));
  assert.deepEqual(silent, []);
});

/** Folders that the README of their room, or their first file, tells enough of. */
const untold: Readonly<Record<string, string>> = {
  cli: "binaries bundle commands doctor pack up",
  compute: "team wasm",
  controlplane: "agents api directory edge envoy-auth grant lease nats quotas scheduler",
  envoy: "resource snapshot subscription",
  state: "kinds",
  stdx: "bench memory",
};

test("a decision is numbered by its file alone, and says its context and its choice", () => {
  const odd = filesInGit("docs/decisions/*.md").filter((path) => {
    const text = read(path);
    const has = (what: string): boolean => new RegExp(`^(?:## ${what}$|\\*\\*${what}\\.)`, "m").test(text);
    return !/^# [A-Z]/.test(text) || !has("Context") || !has("Choice");
  });
  assert.deepEqual(odd, []);
});

test("every room, and every folder of one that is not listed here, has a README", () => {
  const folders = Object.entries(rooms).flatMap(([room, { folders: own }]) => [
    room,
    ...Object.keys(own).map((folder) => `${room}/src/${folder}`),
  ]);
  const missing = folders.filter((folder) => !existsSync(join(root, folder, "README.md")));
  const listed = Object.entries(untold).flatMap(([room, names]) =>
    names.split(" ").map((name) => `${room}/src/${name}`),
  );
  assert.deepEqual(missing.toSorted(), listed.toSorted());
});

test("the tables of folders, of benches and of their jobs have what there is", () => {
  const namesIn = (readme: string): string[] =>
    [...read(readme).matchAll(/^\| ((?:`[\w-]+`(?:, )?)+)(?: \(pure\))? +\|/gm)].flatMap(([, names = ""]) =>
      names.replaceAll("`", "").split(", "),
    );
  assert.deepEqual(
    namesIn("dataplane/README.md").toSorted(),
    Object.keys(rooms["dataplane"]?.folders ?? {}).toSorted(),
  );
  const there = [...benches, ...programBenches].map(({ name }) => name);
  assert.deepEqual(namesIn("cli/src/bench/README.md").toSorted(), there.toSorted());
  const [, list = ""] = /one `--job`: ((?:`\w+`, )+)/.exec(read("cli/src/bench/README.md")) ?? [];
  assert.deepEqual([...list.matchAll(/\w+/g)].map(String), Object.keys(jobs));
});

test("scripts that the documentation names are there, and so are the files of its commands", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const missing = documents().flatMap((document) => {
    const text = read(document);
    const named = [...text.matchAll(/npm run ([\w:-]+)/g)]
      .map(([, name = ""]) => name)
      .filter((name) => !(name in scripts));
    const files = [...text.matchAll(/node ([\w./-]+\.(?:ts|mjs))/g)].map(([, file = ""]) => file);
    const gone = files.filter((file) => file.includes("/") && !existsSync(join(root, file)));
    return [...named, ...gone].map((what) => `${document}: ${what}`);
  });
  assert.deepEqual(missing, []);
});

test("every document that people start with is short", () => {
  const long = documents()
    .filter((path) => path.endsWith("README.md"))
    .map((path) => [path, read(path).split("\n").length] as const)
    .filter(([, lines]) => lines > linesMax);
  assert.deepEqual(long, []);
});

test("no two decisions have one number", () => {
  const numbers = filesInGit("docs/decisions/*.md").map((path) => path.slice(15, 19));
  assert.deepEqual(
    numbers.filter((number, at) => numbers.indexOf(number) !== at),
    [],
  );
});

test("a line's comment says what it prints, and a block of JSON what the line before it printed", () => {
  const readme = callsOf("README.md").map(({ prints }) => prints);
  assert.deepEqual(readme, [2, 2]);
  const errors = callsOf("docs/errors.md").map(({ prints }) => (prints as { code: string }).code);
  assert.deepEqual(errors, ["unimplemented"]);
});

test("what a call has is listed where docs/internals/call.md says, and nowhere else", () => {
  const lists = filesInGit("*.ts").filter((path) => /mayHaveBegun:\s+false/.test(read(path)));
  assert.deepEqual(lists, ["dataplane/src/call/call.ts"]);
  assert.match(
    read("docs/internals/call.md"),
    /`call\/call.ts` \(the type, and what is plain in `draftCall`/,
  );
});

// docs/internals/protocol.md: what sources cite of it is there, and its tables have what the code has.
import assert from "node:assert/strict";
import { test } from "node:test";
import { shardOf } from "@voda/proto/name";
import {
  bellSubject,
  deadSubject,
  laneSubjects,
  markSubject,
  pageSubject,
  trimSubject,
} from "@voda/proto/wire";
import { tokenOf } from "../../../dataplane/src/call/index.ts";
import { sources } from "./constants.ts";
import { read } from "./documents.ts";

const protocol = read("docs/internals/protocol.md");

test("the sections of the protocol that sources cite are there", () => {
  const cited = sources().flatMap((source) =>
    [...read(source).matchAll(/PROTOCOL(?:\.md)? ([\d., ]*\d)/g)].flatMap(([, list = ""]) =>
      list.split(", ").map((section) => ({ source, section })),
    ),
  );
  assert.ok(cited.length > 10);
  const isThere = (section: string): boolean =>
    protocol.includes(`## ${section}${section.includes(".") ? " " : ". "}`) ||
    protocol.includes(`**${section} `);
  assert.deepEqual(
    cited.filter(({ section }) => !isThere(section)),
    [],
  );
});

test("the table of parts has each that records are written with", () => {
  const tags = [...read("dataplane/src/lane/record.ts").matchAll(/\bpart\(\s*(\d+),/g)].map(([, tag]) => tag);
  const rows = [...protocol.matchAll(/^\| (\d+) +\| /gm)].map(([, tag]) => tag);
  assert.deepEqual(rows, tags);
});

test("the table of subjects has each that the code writes to", () => {
  const token = tokenOf({ namespace: "default", agent: "a", key: "k" });
  const { plain, name } = laneSubjects(token);
  const stored = [plain, name, bellSubject(token), deadSubject(token, "uid", 7), markSubject(token)];
  stored.push(trimSubject(token), pageSubject(token, { epoch: 8, index: 9 }));
  const spoken = stored.map((subject) =>
    subject
      .replace(`.${shardOf(token)}.`, ".<shard>.")
      .replace(token, "<session>")
      .replace(".uid.7", ".<uid>.<n>")
      .replace(".8.9", ".<epoch>.<k>"),
  );
  const rows = [...protocol.matchAll(/^\| `(v\.[^`]+)`/gm)].map(([, subject = ""]) => subject);
  assert.deepEqual(rows.toSorted(), spoken.toSorted());
});

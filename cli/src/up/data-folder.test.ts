import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/start.ts";
import { openDataFolder } from "./data-folder.ts";
import { natsLogin, natsLoginFile } from "./nats-login.ts";
import { clearReadyFile } from "./ready-file.ts";

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

test("a data directory is for its owner only, also one that an earlier version left open", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "new", "data");
  openDataFolder(path);
  assert.equal(modeOf(path), "700");
  for (const left of [[], ["nats.conf", "logs"], ["up.lock"]]) {
    const open = join(folder.path, `open-${left.length}`);
    mkdirSync(open);
    for (const name of left) writeFileSync(join(open, name), "");
    chmodSync(open, 0o755);
    openDataFolder(open);
    assert.equal(modeOf(open), "700");
  }
});

test("git takes nothing of a data directory that is voda's alone, and all of one that is not", () => {
  using folder = temporaryFolder();
  const ignored = (name: string, ...files: readonly string[]): string | undefined => {
    const path = join(folder.path, name);
    mkdirSync(path, { mode: 0o700 });
    for (const file of files) writeFileSync(join(path, file), "mine\n");
    openDataFolder(path);
    openDataFolder(path);
    return readdirSync(path).includes(".gitignore")
      ? readFileSync(join(path, ".gitignore"), "utf8")
      : undefined;
  };
  assert.equal(ignored("new"), "*\n");
  assert.equal(ignored("earlier", "lock", "nats.login"), "*\n");
  assert.equal(ignored("chosen", "lock", ".gitignore"), "mine\n");
  assert.equal(ignored("project", "counter.ts"), undefined);
});

test("a directory that others use too is refused, and stays as it is", () => {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "notes.txt"), "");
  chmodSync(folder.path, 0o755);
  assert.throws(() => openDataFolder(folder.path), {
    name: "CliError",
    message: `--data-dir ${folder.path} is open to others (mode 755) and holds what is not voda's; name an empty one, or \`chmod 700\` it`,
  });
  assert.equal(modeOf(folder.path), "755");
});

test("a login is made once, for its owner only, and again when a crash has cut it", () => {
  using folder = temporaryFolder();
  const first = natsLogin(folder.path);
  // a letter first: clients that look for a port after each colon find ours
  assert.match(first.pass, /^p[0-9a-f]{48}$/);
  assert.deepEqual(natsLogin(folder.path), first);
  assert.equal(modeOf(natsLoginFile(folder.path)), "600");
  writeFileSync(natsLoginFile(folder.path), "");
  assert.notDeepEqual(natsLogin(folder.path), first);
});

test("paths that cannot be are told at once, with the flag, the path, the reason and what to do", () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "file");
  writeFileSync(file, "");
  const bad = [
    "/proc/x",
    "/sys/voda/x",
    "/dev/null/x",
    file,
    join(file, "x"),
    join(folder.path, "n".repeat(300)),
  ];
  for (const path of bad)
    assert.throws(
      () => openDataFolder(path),
      /^CliError: --data-dir \S+ cannot be used: E[A-Z]+: .*; name a folder that this user can make, or write to$/,
    );
  for (const path of ["/proc/x", "/proc/x/y", "/dev/null/x", join(folder.path, "none", "f"), folder.path])
    assert.throws(
      () => clearReadyFile(path),
      /^CliError: --ready-file \S+ cannot be written: .*; name a file in a folder that is there and may be written$/,
    );
});

test("the ready file of a supervisor that was killed is gone, and nothing is left of the look", () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "ready.json");
  writeFileSync(file, "{}");
  clearReadyFile(file);
  assert.deepEqual(readdirSync(folder.path), []);
});

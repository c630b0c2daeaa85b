// What `npm install voda` puts on a disk: the tarball and every package it depends on, as they lie in this workspace.
import { execFileSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CliError } from "../failure.ts";
import { tenths } from "./statistics.ts";

/** What lies on the disk after `npm install`. */
export interface SizeResult {
  readonly packages: number;
  readonly installedMb: number;
  /** Of it the Node that voda is pinned to, and the bundler with its native part. */
  readonly nodeMb: number;
  readonly bundlerMb: number;
  readonly tarballMb: number;
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const megabyte = 1024 * 1024;

/** @throws CliError outside of voda's own workspace */
export function size(): SizeResult {
  if (!existsSync("cli/src/pack/main.ts"))
    throw new CliError("size packs voda itself: run it at the top of its repository");
  const folder = mkdtempSync(join(tmpdir(), "voda-size-"));
  try {
    execFileSync(process.execPath, ["cli/src/pack/main.ts"], { stdio: ["ignore", "ignore", "inherit"] });
    const [tarball] = globSync("voda-*.tgz");
    if (tarball === undefined) throw new Error("npm run pack left no voda-*.tgz");
    execFileSync("tar", ["-xzf", tarball, "-C", folder]);
    const tarballMb = statSync(tarball).size / megabyte;
    rmSync(tarball);
    const sizes = new Map([["voda", bytesIn(join(folder, "package"))]]);
    follow(manifest(join(folder, "package")), sizes);
    const sum = (is: (name: string) => boolean): number =>
      tenths([...sizes].reduce((total, [name, bytes]) => total + (is(name) ? bytes : 0), 0) / megabyte);
    return {
      packages: sizes.size,
      installedMb: sum(() => true),
      nodeMb: sum((name) => /^node-(bin-)?(linux|darwin)/.test(name)),
      bundlerMb: sum((name) => /^@?rolldown/.test(name)),
      tarballMb: tenths(tarballMb),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const manifest = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

/** Builds for other platforms are not installed here, and so not there. */
function follow({ dependencies, optionalDependencies }: Manifest, sizes: Map<string, number>): void {
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    const folder = join("node_modules", name);
    if (sizes.has(name) || !existsSync(folder)) continue;
    sizes.set(name, bytesIn(folder));
    follow(manifest(folder), sizes);
  }
}

const bytesIn = (folder: string): number =>
  globSync(join(folder, "**/*"))
    .map((file) => statSync(file))
    .reduce((total, file) => total + (file.isFile() ? file.size : 0), 0);

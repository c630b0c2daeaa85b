// What `npm install voda` puts on a disk: the package and every one that it depends on. In voda's own
// workspace it is packed for that; installed, it is what lies there.
import { execFileSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { tenths } from "./statistics.ts";

/** What lies on the disk after `npm install`. */
export interface SizeResult {
  readonly packages: number;
  readonly installedMb: number;
  /** Of it the Node that voda is pinned to, and the bundler with its native part. */
  readonly nodeMb: number;
  readonly bundlerMb: number;
  /** Only in voda's own workspace, where it is packed. */
  readonly tarballMb?: number;
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const megabyte = 1024 * 1024;

/** Of this installation, or of the one that this workspace would make. */
export function size(): SizeResult {
  return existsSync(packer) ? ofWorkspace() : added(installedAt, dirname(installedAt));
}

const packer = "cli/src/pack/main.ts";
const installedAt = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

function ofWorkspace(): SizeResult {
  const folder = mkdtempSync(join(tmpdir(), "voda-size-"));
  try {
    execFileSync(process.execPath, [packer], { stdio: ["ignore", "ignore", "inherit"] });
    const [tarball] = globSync("voda-*.tgz");
    if (tarball === undefined) throw new Error("npm run pack left no voda-*.tgz");
    execFileSync("tar", ["-xzf", tarball, "-C", folder]);
    const tarballMb = tenths(statSync(tarball).size / megabyte);
    rmSync(tarball);
    return { ...added(join(folder, "package"), "node_modules"), tarballMb };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The package, and what it depends on among `modules`. */
function added(voda: string, modules: string): SizeResult {
  const sizes = new Map([["voda", bytesIn(voda)]]);
  follow(manifest(voda), modules, sizes);
  const sum = (is: (name: string) => boolean): number =>
    tenths([...sizes].reduce((total, [name, bytes]) => total + (is(name) ? bytes : 0), 0) / megabyte);
  return {
    packages: sizes.size,
    installedMb: sum(() => true),
    nodeMb: sum((name) => /^node-(bin-)?(linux|darwin)/.test(name)),
    bundlerMb: sum((name) => /^@?rolldown/.test(name)),
  };
}

const manifest = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

/** Builds for other platforms are not installed here, and so not there. */
function follow(
  { dependencies, optionalDependencies }: Manifest,
  modules: string,
  sizes: Map<string, number>,
): void {
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    const folder = join(modules, name);
    if (sizes.has(name) || !existsSync(folder)) continue;
    sizes.set(name, bytesIn(folder));
    follow(manifest(folder), modules, sizes);
  }
}

const bytesIn = (folder: string): number =>
  globSync(join(folder, "**/*"))
    .map((file) => statSync(file))
    .reduce((total, file) => total + (file.isFile() ? file.size : 0), 0);

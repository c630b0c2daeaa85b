// npm run deps [-- <npm install arguments>]: the only way to add or update a package.
// Registries may not list a package's builds for other platforms; npm then drops them from the lock and
// `npm ci` refuses that lock. This completes it from the parents' optionalDependencies.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const result = spawnSync(
  "npm",
  ["install", "--ignore-scripts", "--no-audit", "--no-fund", ...process.argv.slice(2)],
  {
    stdio: "inherit",
  },
);
if (result.status !== 0) process.exit(result.status ?? 1);

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
let added = 0;
for (const [path, entry] of Object.entries(lock.packages)) {
  if (path === "" || entry.link) continue;
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    const places = [`${path}/node_modules/${name}`, `node_modules/${name}`];
    if (places.some((place) => lock.packages[place])) continue;
    const word = (list) => list.find((item) => new RegExp(`(^|[-/])${item}([-/]|$)`).test(name));
    const os = word([
      "linux",
      "darwin",
      "win32",
      "freebsd",
      "android",
      "openbsd",
      "netbsd",
      "sunos",
      "aix",
      "openharmony",
    ]);
    const cpu = word([
      "x64",
      "arm64",
      "ia32",
      "arm",
      "ppc64",
      "s390x",
      "riscv64",
      "loong64",
      "mips64el",
      "wasm32",
    ]);
    const libc = /musl/.test(name) ? ["musl"] : /(gnu|glibc)/.test(name) ? ["glibc"] : undefined;
    lock.packages[places[1]] = {
      version: range.replace(/^[\^~]/, ""),
      ...(cpu && { cpu: [cpu] }),
      ...(libc && { libc }),
      ...(entry.dev && { dev: true }),
      optional: true,
      ...(os && { os: [os] }),
    };
    added += 1;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`);
console.error(`deps: completed the lock with ${added} builds for other platforms`);

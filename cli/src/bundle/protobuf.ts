// Agents run on the node's copy of the protobuf library. Code that was generated for an older one runs on it;
// code for a newer one may ask for what it does not have, and is told so here, before it is deployed.
import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { pathToFileURL } from "node:url";

const library = "@bufbuild/protobuf";

/** Why the project's version does not do, or `undefined`. A project without one has nothing to differ. */
export function protobufProblem(config: string): string | undefined {
  const [installed, ours] = [versionAt(pathToFileURL(config).href), versionAt(import.meta.url)];
  if (installed === undefined || ours === undefined) return undefined;
  const [major = 0, minor = 0] = partsOf(installed);
  const [majorMax = 0, minorMax = 0] = partsOf(ours);
  if (major === majorMax && minor <= minorMax) return undefined;
  return (
    `the project has ${library} ${installed}; agents run on voda's ${ours}, ` +
    `so it must be of ${majorMax}.0 to ${majorMax}.${minorMax}: ` +
    `npm install ${library}@${ours}, and generate the code again with protoc-gen-es of the same version`
  );
}

function versionAt(base: string): string | undefined {
  try {
    const path = findPackageJSON(library, base);
    const { version }: { version?: string } =
      path === undefined ? {} : JSON.parse(readFileSync(path, "utf8"));
    return version;
  } catch {
    return undefined; // not installed there
  }
}

const partsOf = (version: string): number[] => version.split(".").map(Number);

// The programs that tests start.
import { join } from "node:path";
import { programs as written } from "@voda/cli/harness";

/** As `npm test` has built them (`tools/programs.ts`), or as they are written where it has not. */
export function programs(): ReturnType<typeof written> {
  const folder = process.env["VODA_TEST_PROGRAMS"];
  if (folder === undefined) return written();
  const built = (name: string): string => join(folder, `${name}.js`);
  return { ...written(), cli: built("cli"), controlplane: built("controlplane"), node: built("node") };
}

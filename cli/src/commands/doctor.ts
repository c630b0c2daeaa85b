import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { examine } from "../doctor/checks.ts";
import { CliError } from "../failure.ts";
import { dataDirOption, jsonOption, parseWhole, portMax } from "../options.ts";
import { type Output, table } from "../print.ts";

interface DoctorFlags {
  readonly dataDir: string;
  readonly ingressPort: number;
  readonly json?: true;
}

/** `voda doctor`: what would keep `voda up` from starting or serving here; it changes nothing. */
export function addDoctor(program: Command, { out: print }: Output): void {
  program
    .command("doctor")
    .description("look for what keeps a mesh from running here, and say the fix")
    .addOption(dataDirOption())
    .addOption(
      new Option("--ingress-port <port>", "port of the mesh").default(4000).argParser(parseWhole(1, portMax)),
    )
    .addOption(jsonOption())
    .action(async (flags: DoctorFlags) => {
      const findings = await examine({ dataDir: resolve(flags.dataDir), ingressPort: flags.ingressPort });
      if (flags.json === true) print(JSON.stringify({ findings }));
      else
        print(
          table(
            ["", "CHECK", "FOUND"],
            findings.map(({ ok, name, found, fix }) => [
              ok ? "ok" : "fail",
              name,
              fix === undefined ? found : `${found}; ${fix}`,
            ]),
          ),
        );
      const failed = findings.filter((finding) => !finding.ok);
      if (failed.length > 0)
        throw new CliError(`${failed.length} of ${findings.length} checks failed; each names its fix`);
    });
}

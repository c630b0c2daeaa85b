// `voda quota`: what the awake sessions of a namespace may take together.

import { toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Quota, QuotaSchema, type QuotaState, QuotaUsageSchema } from "@voda/proto/api";
import { type Command, Option } from "commander";
import { connectApi } from "../api.ts";
import { CliError, exitCodes } from "../failure.ts";
import { jsonOption, parseName, parseWhole, urlOption } from "../options.ts";
import { type Output, type Print, table } from "../print.ts";
import { warnIfEmpty } from "./agents.ts";

interface QuotaFlags {
  readonly url: string;
  readonly json?: true;
}

/** As `Quota` has them: absent is not limited, 0 is none at all. */
interface Limits {
  readonly sessions?: number;
  readonly cpuMilli?: number;
  readonly memoryMib?: number;
  readonly gpuMilli?: number;
}

/** Limits are `uint32` in `quotas.proto`. */
const limitMax = 2 ** 32 - 1;

/** `voda quota`: `set`, `ls` and `delete`, by namespace. */
export function addQuota(program: Command, output: Output): void {
  const quota = program.command("quota").description("limit what the awake sessions of a namespace take");
  addSet(quota, output);
  addList(quota, output.out);
  addDelete(quota, output.out);
}

/**
 * All limits at once: a flag that is left out takes its limit away, so that what was typed is what holds, and
 * two people who set quotas never mix theirs.
 */
function addSet(quota: Command, { out: print, err }: Output): void {
  const limit = (flag: string, what: string): Option =>
    new Option(`${flag} <n>`, `${what}; not limited without it`).argParser(parseWhole(0, limitMax));
  const command = quota
    .command("set")
    .description(
      "set the limits of a namespace in place of those it has; no session that is awake is put to sleep",
    )
    .argument("<namespace>", "trust domain", parseName("namespace"))
    .addOption(limit("--sessions", "sessions"))
    .addOption(limit("--cpu-milli", "thousandths of a core"))
    .addOption(limit("--memory-mib", "memory in MiB"))
    .addOption(limit("--gpu-milli", "thousandths of GPUs"));
  withFlags(command).action(async (namespace: string, { url, json, ...limits }: QuotaFlags & Limits) => {
    // By that rule it would take all of them away, which nobody means who names none.
    if (Object.keys(limits).length === 0)
      throw new CliError(
        "name at least one of --sessions, --cpu-milli, --memory-mib, --gpu-milli; `npx voda quota delete` takes all limits away",
        exitCodes.usage,
      );
    // What is stored is told, not what was typed.
    const api = connectApi(url);
    const { quota: stored } = await api.quotas.setQuota({ quota: { namespace, ...limits } });
    if (stored === undefined) throw new Error("the control plane's answer to set names no quota");
    print(
      json === true
        ? JSON.stringify(toJson(QuotaSchema, stored))
        : `namespace ${namespace} may take ${limitsText(stored)}`,
    );
    await warnIfEmpty(api, namespace, err);
  });
}

/** With what is used: a limit alone does not say whether anybody is near it. */
function addList(quota: Command, print: Print): void {
  const command = quota.command("ls").description("list the quotas, and what is used of them");
  withFlags(command).action(async ({ url, json }: QuotaFlags) => {
    const { quotas } = await connectApi(url).quotas.listQuotas({});
    if (json === true) print(JSON.stringify({ quotas: quotas.map(asJson) }));
    else if (quotas.length === 0) print("no quotas");
    else print(table(["NAMESPACE", "SESSIONS", "CPU", "MEMORY", "GPU"], quotas.map(row)));
  });
}

function addDelete(quota: Command, print: Print): void {
  const command = quota
    .command("delete")
    .description("take all limits of a namespace away")
    .argument("<namespace>", "trust domain", parseName("namespace"));
  withFlags(command).action(async (namespace: string, { url, json }: QuotaFlags) => {
    try {
      await connectApi(url).quotas.deleteQuota({ namespace });
    } catch (error) {
      if (!(error instanceof ConnectError) || error.code !== Code.NotFound) throw error;
      // What commands say of other unknown names, agents and sessions, would lead nowhere here.
      throw new CliError(
        `${error.rawMessage}; \`npx voda quota ls\` lists those that have one`,
        exitCodes.notFound,
        {
          cause: error,
        },
      );
    }
    print(
      json === true
        ? JSON.stringify({ deleted: namespace })
        : `namespace ${namespace} is not limited any more`,
    );
  });
}

/** No `--namespace`: it is what these commands are about, and their argument. */
function withFlags(command: Command): Command {
  return command.addOption(urlOption()).addOption(jsonOption());
}

/** In the units that people think in; the flags have those that can be counted in whole numbers. */
function limitsText({ sessions, cpuMilli, memoryMib, gpuMilli }: Quota): string {
  const parts = [
    sessions !== undefined && counted(sessions, "session"),
    cpuMilli !== undefined && counted(cpuMilli / 1000, "core"),
    memoryMib !== undefined && `${memoryMib} MiB`,
    gpuMilli !== undefined && counted(gpuMilli / 1000, "GPU"),
  ];
  return parts.filter((part) => part !== false).join(", ");
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

/** What is not limited is absent from `quota`; what is not used is 0 in `used`. */
function asJson({ quota, used }: QuotaState) {
  return {
    ...(quota !== undefined && { quota: toJson(QuotaSchema, quota) }),
    ...(used !== undefined && { used: toJson(QuotaUsageSchema, used, { alwaysEmitImplicit: true }) }),
  };
}

function row({ quota, used }: QuotaState): string[] {
  return [
    quota?.namespace ?? "",
    share(used?.sessions, quota?.sessions, 1),
    share(used?.cpuMilli, quota?.cpuMilli, 1000),
    `${share(used?.memoryMib, quota?.memoryMib, 1)} MiB`,
    share(used?.gpuMilli, quota?.gpuMilli, 1000),
  ];
}

function share(used: number | undefined, limit: number | undefined, unit: number): string {
  return `${(used ?? 0) / unit} of ${limit === undefined ? "any" : limit / unit}`;
}

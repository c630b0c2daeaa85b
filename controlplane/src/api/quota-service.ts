// QuotaService: what namespaces may take. Limits are in `voda_quotas`; what is used is what this control
// plane has placed or heard of.
import type { ServiceImpl } from "@connectrpc/connect";
import type { Quota, QuotaService } from "@voda/proto/api";
import { ControlError } from "../errors.ts";
import type { Quotas } from "../placement/index.ts";
import { limitsOf, type QuotaBucket, quotaMessage } from "../quotas/quota-bucket.ts";
import { namespaceOf } from "./namespace.ts";

/** Where limits are kept. */
export interface QuotaContext {
  readonly quotaBucket: QuotaBucket;
}

/** All are listed in one answer. */
const quotasMax = 10_000;

export function quotaService({ quotaBucket }: QuotaContext): ServiceImpl<typeof QuotaService> {
  const { quotas } = quotaBucket;
  return {
    async setQuota({ quota: asked }) {
      const quota = check(asked, quotas);
      await quotaBucket.put(quota);
      return { quota };
    },
    getQuota({ namespace: text }) {
      const namespace = namespaceOf(text);
      const limits = quotas.quotaOf(namespace);
      return {
        used: usageOf(quotas, namespace),
        ...(limits !== undefined && { quota: quotaMessage(namespace, limits) }),
      };
    },
    listQuotas: () => ({
      quotas: quotas.namespaces().map((namespace) => ({
        quota: quotaMessage(namespace, quotas.quotaOf(namespace) ?? {}),
        used: usageOf(quotas, namespace),
      })),
    }),
    async deleteQuota({ namespace: text }) {
      const namespace = namespaceOf(text);
      if (quotas.quotaOf(namespace) === undefined)
        throw ControlError.of("quota_not_found", `namespace ${JSON.stringify(namespace)} has no quota`);
      await quotaBucket.delete(namespace);
      return {};
    },
  };
}

/** @throws ControlError `bad_request` or `too_large` */
function check(asked: Quota | undefined, quotas: Quotas): Quota {
  if (asked === undefined) throw ControlError.of("bad_request", "the request names no quota");
  const namespace = namespaceOf(asked.namespace);
  const limits = limitsOf(asked);
  if (Object.keys(limits).length === 0)
    throw ControlError.of(
      "bad_request",
      `the quota of namespace ${namespace} limits nothing; name an amount, or delete the quota`,
    );
  if (quotas.quotaOf(namespace) === undefined && quotas.namespaces().length >= quotasMax)
    throw ControlError.of(
      "too_large",
      `there are ${quotasMax} quotas already, as many as quotasMax allows; delete one`,
    );
  return quotaMessage(namespace, limits);
}

function usageOf(quotas: Quotas, namespace: string) {
  const used = quotas.usedBy(namespace);
  return { ...used, memoryMib: Math.ceil(used.memoryMib) };
}

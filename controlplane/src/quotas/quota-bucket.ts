// The bucket `voda_quotas`, and the limits that are kept equal to it.
import { create, fromJsonString, toJsonString } from "@bufbuild/protobuf";
import type { KV, KvEntry } from "@nats-io/kv";
import { watchBucket } from "@voda/net";
import { type Quota, QuotaSchema } from "@voda/proto/api";
import type { Logger } from "pino";
import type { Quota as Limits, Quotas } from "../placement/index.ts";

/** The bucket, and the limits that are kept equal to it. */
export interface QuotaBucketOptions {
  /** The bucket. */
  readonly kv: KV;
  readonly quotas: Quotas;
  readonly log: Logger;
}

/**
 * Owns the watch of the bucket. What it wrote itself holds here at once, elsewhere when their watch tells.
 */
export class QuotaBucket implements AsyncDisposable {
  readonly #options: QuotaBucketOptions;
  /**
   * Of the entry that was applied last, by key: what is read back after a write may be older or newer than
   * what the watch told.
   */
  readonly #revisions = new Map<string, number>();
  #watch: AsyncDisposable | undefined;

  /** Resolves when everything that is in the bucket holds. */
  static async open(options: QuotaBucketOptions): Promise<QuotaBucket> {
    const bucket = new QuotaBucket(options);
    bucket.#watch = await watchBucket(options.kv, (entry) => bucket.#apply(entry));
    return bucket;
  }

  private constructor(options: QuotaBucketOptions) {
    this.#options = options;
  }

  get quotas(): Quotas {
    return this.#options.quotas;
  }

  /** It holds here when this resolves, and in other control planes when their watch tells them. */
  async put(quota: Quota): Promise<void> {
    await this.#options.kv.put(quota.namespace, toJsonString(QuotaSchema, quota));
    await this.#read(quota.namespace);
  }

  async delete(namespace: string): Promise<void> {
    await this.#options.kv.delete(namespace);
    await this.#read(namespace);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch?.[Symbol.asyncDispose]();
  }

  async #read(namespace: string): Promise<void> {
    const entry = await this.#options.kv.get(namespace);
    if (entry !== null) this.#apply(entry);
  }

  /** An entry that is not readable changes nothing: the quota before it holds. */
  #apply(entry: KvEntry): void {
    const { key, revision } = entry;
    if (revision <= (this.#revisions.get(key) ?? 0)) return;
    this.#revisions.set(key, revision);
    try {
      this.#options.quotas.set(key, entry.operation === "PUT" ? readLimits(entry) : undefined);
    } catch (error) {
      this.#options.log.error(
        { err: error, key, revision },
        "a quota in the bucket is not readable; the one before it holds",
      );
    }
  }
}

/** @throws when the value is no quota, or is that of another namespace */
function readLimits(entry: KvEntry): Limits {
  const quota = fromJsonString(QuotaSchema, entry.string(), { ignoreUnknownFields: true });
  if (quota.namespace !== entry.key)
    throw new Error(`the quota under ${entry.key} says namespace ${quota.namespace}`);
  return limitsOf(quota);
}

/** The amounts that are limited. */
export function limitsOf({ sessions, cpuMilli, memoryMib, gpuMilli }: Quota): Limits {
  return {
    ...(sessions !== undefined && { sessions }),
    ...(cpuMilli !== undefined && { cpuMilli }),
    ...(memoryMib !== undefined && { memoryMib }),
    ...(gpuMilli !== undefined && { gpuMilli }),
  };
}

/** Limits as the API writes them; what is not limited is absent. */
export function quotaMessage(namespace: string, limits: Limits): Quota {
  return create(QuotaSchema, { namespace, ...limits });
}

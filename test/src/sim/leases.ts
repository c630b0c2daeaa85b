// The bucket of leases, and what each node knows of it.
import type { Standing } from "../../../dataplane/src/lane/index.ts";
import { leaseTtlMs } from "../../../dataplane/src/membership/window.ts";
import type { Clockwork } from "./clockwork.ts";

export type LeaseNews =
  | { readonly type: "created"; readonly incarnation: string; readonly succeeds: string | undefined }
  | { readonly type: "ended"; readonly incarnation: string; readonly isClosed: boolean };

export interface Leases {
  create(incarnation: string, succeeds: string | undefined): void;
  /** False when the lease has ended: it cannot be renewed. */
  renew(incarnation: string): boolean;
  end(incarnation: string, isClosed: boolean): void;
  /** A server that was away ends what is overdue as soon as it is back. */
  sweep(): void;
}

export function createLeases(
  clockwork: Clockwork,
  isUp: () => boolean,
  emit: (news: LeaseNews) => void,
): Leases {
  const expiry = new Map<string, number>();
  const sweep = (): void => {
    if (!isUp()) return;
    for (const [incarnation, atMs] of expiry) if (atMs <= clockwork.nowMs) end(incarnation, false);
  };
  const extend = (incarnation: string): void => {
    expiry.set(incarnation, clockwork.nowMs + leaseTtlMs);
    clockwork.after(leaseTtlMs, sweep);
  };
  const end = (incarnation: string, isClosed: boolean): void => {
    if (!expiry.delete(incarnation)) return;
    clockwork.say(`leases: ${incarnation.slice(0, 4)} ends`);
    clockwork.meet("a lease ends");
    emit({ type: "ended", incarnation, isClosed });
  };
  return {
    create(incarnation, succeeds) {
      extend(incarnation);
      emit({ type: "created", incarnation, succeeds });
    },
    renew(incarnation) {
      if (!expiry.has(incarnation)) return false;
      extend(incarnation);
      return true;
    },
    end,
    sweep,
  };
}

/** What one node has heard. Nothing heard means that a lease may live. */
export interface Knowledge {
  hear(news: LeaseNews): void;
  standing(incarnation: string): Standing;
  wasClosed(incarnation: string): boolean;
}

export function createKnowledge(): Knowledge {
  const ended = new Set<string>();
  const closed = new Set<string>();
  const successors = new Map<string, string>();
  return {
    hear(news) {
      if (news.type === "ended" && news.isClosed) closed.add(news.incarnation);
      if (news.type === "ended") ended.add(news.incarnation);
      else if (news.succeeds !== undefined) successors.set(news.succeeds, news.incarnation);
    },
    standing(incarnation) {
      if (!ended.has(incarnation)) return { type: "living" };
      let successor = successors.get(incarnation);
      while (successor !== undefined && ended.has(successor)) successor = successors.get(successor);
      return { type: "ended", successor };
    },
    wasClosed(incarnation) {
      let last = incarnation;
      for (let next = successors.get(last); next !== undefined; next = successors.get(last)) last = next;
      return closed.has(last);
    },
  };
}

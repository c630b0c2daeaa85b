// What one proxy wants of one kind of resource on one stream, and what it has (the delta variant of xDS).
import type { Sealed } from "../snapshot/snapshot.ts";

/** What a proxy wants of one kind, what it has, and what it was sent and has not answered. */
export interface Subscription {
  /** Wants all there are. */
  wildcard: boolean;
  /** Wants these, also those that do not exist yet. */
  readonly names: Set<string>;
  /** Versions that the proxy was sent, or said it has from an earlier stream. */
  readonly known: Map<string, string>;
  /**
   * Versions that it refused; a refused resource may have been applied or not. `""` once it may be tried
   * again.
   */
  readonly rejected: Map<string, string>;
  /** Wanted names of which it was told that they do not exist. */
  readonly absent: Set<string>;
  /** Names whose absence has still to be told. */
  readonly owed: Set<string>;
  /** The first answer to a wildcard is due even when it is empty: a proxy waits for it at its start. */
  answerDue: boolean;
  /** At most one response without an answer: this bounds what a stuck proxy can make the server hold. */
  pending: { readonly nonce: string; readonly sent: Map<string, string> } | undefined;
}

/** Names that come to a subscription and leave it, and versions that the proxy has from an earlier stream. */
export interface Ask {
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** Only in the first request of a stream: what the proxy has from before. */
  readonly initialVersions: Readonly<Record<string, string>>;
}

const everyName = "*";

/**
 * @param implicit whether a first request without names means "all", as it does for clusters and listeners
 */
export function openSubscription(ask: Ask, implicit: boolean): Subscription {
  const names = new Set(ask.subscribe.filter((name) => name !== everyName));
  const wildcard = ask.subscribe.includes(everyName) || (implicit && names.size === 0);
  const had = Object.entries(ask.initialVersions).filter(([name]) => wildcard || names.has(name));
  return {
    wildcard,
    names,
    known: new Map(had),
    rejected: new Map(),
    absent: new Set(),
    owed: new Set(),
    answerDue: wildcard && had.length === 0,
    pending: undefined,
  };
}

/** A later request. What it names is sent again even if the proxy has it: it may have dropped it. */
export function changeSubscription(subscription: Subscription, ask: Ask): void {
  for (const name of ask.subscribe) {
    if (name === everyName) {
      subscription.answerDue ||= !subscription.wildcard;
      subscription.wildcard = true;
    } else {
      subscription.names.add(name);
      forget(subscription, name);
    }
  }
  for (const name of ask.unsubscribe) unsubscribe(subscription, name);
}

function unsubscribe(subscription: Subscription, name: string): void {
  if (name === everyName) {
    subscription.wildcard = false;
    subscription.answerDue = false;
    for (const held of holdings(subscription)) if (!subscription.names.has(held)) forget(subscription, held);
  } else if (subscription.names.delete(name)) {
    forget(subscription, name);
    // Still wanted by the wildcard: the proxy dropped it and must be told anew what it is, or that it is not.
    if (subscription.wildcard) subscription.owed.add(name);
  }
}

function forget(subscription: Subscription, name: string): void {
  subscription.known.delete(name);
  subscription.rejected.delete(name);
  subscription.absent.delete(name);
  subscription.owed.delete(name);
  subscription.pending?.sent.delete(name);
}

/** Names that the proxy has or may have. */
function holdings({ known, rejected }: Subscription): string[] {
  return [...new Set([...known.keys(), ...rejected.keys()])];
}

/** The resources of one kind by name. */
export type Resources = ReadonlyMap<string, Sealed>;

/** What the proxy wants and does not have, except what it refused. */
export function upserts(subscription: Subscription, resources: Resources): Sealed[] {
  const wanted = subscription.wildcard
    ? resources.values()
    : [...subscription.names].flatMap((name) => resources.get(name) ?? []);
  return [...wanted].filter(
    ({ name, version }) =>
      subscription.known.get(name) !== version && subscription.rejected.get(name) !== version,
  );
}

/** What the proxy has, or may have, and shall not have any more. */
export function removals(subscription: Subscription, resources: Resources): string[] {
  return holdings(subscription).filter((name) => !resources.has(name));
}

/** Names that the proxy asked for and never had, that do not exist. */
export function absences(subscription: Subscription, resources: Resources): string[] {
  const { names, absent, owed } = subscription;
  const held = new Set(holdings(subscription));
  return [...new Set([...[...names].filter((name) => !absent.has(name)), ...owed])].filter(
    (name) => !resources.has(name) && !held.has(name),
  );
}

/** Notes that a response goes out. */
export function sent(
  subscription: Subscription,
  nonce: string,
  added: readonly Sealed[],
  removed: readonly string[],
): void {
  for (const { name, version } of added) {
    forget(subscription, name);
    subscription.known.set(name, version);
  }
  for (const name of removed) {
    forget(subscription, name);
    if (subscription.names.has(name)) subscription.absent.add(name);
  }
  subscription.answerDue = false;
  subscription.pending = { nonce, sent: new Map(added.map(({ name, version }) => [name, version])) };
}

/** The proxy's answer to a response; one to an older response says nothing. */
export function answered(subscription: Subscription, nonce: string, accepted: boolean): boolean {
  const { pending } = subscription;
  if (pending?.nonce !== nonce) return false;
  subscription.pending = undefined;
  if (accepted) return true;
  for (const [name, version] of pending.sent) {
    if (subscription.known.get(name) !== version) continue;
    subscription.known.delete(name);
    subscription.rejected.set(name, version);
  }
  return true;
}

/** Other content of this kind is there: what was refused with the old may be tried with the new, once. */
export function retryRejected(subscription: Subscription): void {
  for (const name of subscription.rejected.keys()) subscription.rejected.set(name, "");
}

// The store as a node in memory reaches it: a request arrives also when the node dies behind it, and its
// answer does not come to another life.
import type { StorePort } from "../reactor/index.ts";
import type { Resolver } from "../reactor/ports.ts";
import type { Clockwork } from "./clockwork.ts";
import type { Program } from "./program.ts";
import { type MemoryStore, pageText } from "./store.ts";

export interface StorePortParts {
  readonly clockwork: Clockwork;
  readonly program: Program;
  readonly store: MemoryStore;
  /** By the store's clock. */
  readonly wallMs: () => number;
  /** There is a bell. */
  readonly rung: () => void;
}

export function createStorePort({ clockwork, program, store, wallMs, rung }: StorePortParts): StorePort {
  const ask = <T>(act: () => T, answered: (value: T) => void): void =>
    clockwork.after(0, () => {
      const value = act();
      program.deliver(0, () => answered(value));
    });
  const reply = <T>({ answered }: Resolver<T>, act: () => T): void => ask(act, answered);
  const does = (act: () => void): void => clockwork.after(0, act);
  return {
    append(session, record, { accepted, refused }) {
      ask(
        () => store.of(session).append(record, wallMs()),
        (result) => (result === "refused" ? refused() : accepted(result)),
      );
    },
    last: (session, _leader, told) =>
      reply(told, () => ({ record: store.of(session).last, mark: store.of(session).mark })),
    range: (session, { from, limit }, told) =>
      reply(told, () =>
        store
          .of(session)
          .rows.filter(({ seq }) => seq >= from)
          .slice(0, limit),
      ),
    recordsAt: (session, seqs, told) =>
      reply(told, () => store.of(session).rows.filter(({ seq }) => seqs.includes(seq))),
    traces: (session, told) => reply(told, () => (store.of(session).rows.length > 0 ? "records" : "nothing")),
    readPages: (session, names, told) =>
      reply(told, () => names.map((name) => store.of(session).pages.get(pageText(name)))),
    writePages: (session, pages, told) =>
      reply(told, () => {
        for (const { name, bytes } of pages) store.of(session).pages.set(pageText(name), bytes);
      }),
    mark: (session, mark) => does(() => store.of(session).note(mark)),
    trim: (session, below) => does(() => store.of(session).purge(below)),
    // it loses nothing, so nothing waits until it is safe
    trimAsleep: (session, { below }) => does(() => store.of(session).purge(below)),
    deletePages: (session, names) =>
      does(() => {
        for (const name of names) store.of(session).pages.delete(pageText(name));
      }),
    ring: (session, bell, { answered }) =>
      ask(
        () => store.ring(session, bell),
        (seq) => {
          answered(seq);
          rung();
        },
      ),
    unring: (session, seq) => does(() => store.of(session).unring(seq)),
    bury: (session, dead, told) => reply(told, () => store.bury(session, dead)),
    writeName: () => undefined,
  };
}

// The store as a simulated node reaches it: every request is answered or fails; appends may get lost.
import { hash16 } from "@voda/proto/hash16";
import type { NamedSession } from "@voda/proto/session";
import { bytesEqual } from "@voda/stdx";
import type { AppendedRecord, Resolver, StorePort } from "../../../dataplane/src/reactor/index.ts";
import type { Clockwork } from "./clockwork.ts";
import type { Link } from "./link.ts";
import { NodeMarks } from "./marks.ts";
import type { SimProgram } from "./program.ts";
import { isAsked, type Stores } from "./sessions.ts";
import type { SimStore } from "./store.ts";

export interface StorePortOptions {
  readonly clockwork: Clockwork;
  readonly program: SimProgram;
  readonly link: Link;
  readonly stores: Stores;
  readonly say: (line: string) => void;
}

/** A request without a reply fails after this time. */
const replyMsMax = 700;

/** `forget`: the memory of the session is dropped. */
export type SimStorePort = StorePort & { readonly forget: (session: NamedSession) => void };

export function createStorePort({ clockwork, program, link, stores, say }: StorePortOptions): SimStorePort {
  const of = ({ name }: NamedSession): SimStore => stores[isAsked(name) ? "asked" : "main"];
  const marksOf = marksOfStores(program, link);
  const dead = deadOf();

  function request<T>({ answered, failed }: Resolver<T>, act: () => T): void {
    let isOver = false;
    const end = (settle: () => void): void => {
      if (isOver) return;
      isOver = true;
      settle();
    };
    link.publish((reply) => {
      const value = act();
      reply(() => end(() => answered(value)));
    });
    program.deliver(replyMsMax, () => end(failed));
  }

  return {
    ...trimming(clockwork, link, of),
    append(session, record, { accepted, refused, rejected }) {
      say(`sends a record expecting ${record.expect}`);
      const known = dead.knownTo(session, record);
      link.publish((reply) =>
        of(session).append(record, (result) => {
          if (typeof result === "number") of(session).say(known);
          reply(() => {
            if (result === "refused") refused();
            else if (result === "full") rejected("the store is full");
            else accepted(result);
          });
        }),
      );
    },
    last: (session, leader, told) =>
      request(told, () => {
        const store = of(session);
        return { record: store.last(leader), mark: marksOf(store).higher(store.marks.mark) };
      }),
    range: (session, { from, leader, limit }, told) =>
      request(told, () => of(session).range(from, leader, limit)),
    recordsAt: (session, seqs, told) => request(told, () => of(session).recordsAt(seqs)),
    traces: (session, told) => request(told, () => of(session).traces()),
    readPages: (session, names, told) => request(told, () => names.map((page) => of(session).readPage(page))),
    writePages: (session, pages, told) =>
      request(told, () => {
        for (const page of pages) of(session).writePage(page.name, page.bytes);
      }),
    mark: (session, mark, isUrgent) => marksOf(of(session)).note(mark, isUrgent),
    ring: (session, bell, { answered, rejected, failed }) => {
      const told = (rung: number | "full"): void => {
        if (rung === "full") rejected("the store is full");
        else answered(rung);
      };
      request({ answered: told, failed }, () => of(session).ring(bell));
    },
    bury(session, { letter }, { answered, failed }) {
      const operation = Number(letter.method);
      const note = dead.noting(session, operation);
      const told = (id: number | undefined): void => {
        note();
        answered(id);
      };
      request({ answered: told, failed }, () => of(session).bury(operation));
    },
    forget: ({ name }) => dead.forget(name.key),
    writeName: () => undefined,
  };
}

/** Of which dead letters the memories of sessions know that they are kept. */
function deadOf() {
  const memories = new Map<string, Set<number>>();
  const first = new WeakMap<Uint8Array, readonly number[]>();
  const memoryOf = (key: string): Set<number> => memories.get(key) ?? new Set();
  return {
    forget: (key: string) => memories.delete(key),
    noting({ name: { key } }: NamedSession, operation: number): () => void {
      const memory = memoryOf(key);
      memories.set(key, memory);
      return () => memory.add(operation);
    },
    /** To the writer of a record when it was sent for the first time. */
    knownTo({ name: { key } }: NamedSession, { bytes }: AppendedRecord): readonly number[] {
      const known = first.get(bytes) ?? [...memoryOf(key)];
      first.set(bytes, known);
      return known;
    },
  };
}

/** What this node knows of the marks of each store. */
function marksOfStores(program: SimProgram, link: Link): (store: SimStore) => NodeMarks {
  const marks = new Map<SimStore, NodeMarks>();
  return (store) => {
    const known = marks.get(store);
    if (known !== undefined) return known;
    const made = new NodeMarks(program, (mark, stored) =>
      link.publish((reply) => {
        store.marks.put(mark);
        reply(stored);
      }),
    );
    marks.set(store, made);
    return made;
  };
}

/** Nobody waits for these. */
function trimming(
  clockwork: Clockwork,
  link: Link,
  of: (session: NamedSession) => SimStore,
): Pick<StorePort, "trim" | "trimAsleep" | "deletePages" | "unring"> {
  const { random } = clockwork;
  return {
    trim: (session, below) =>
      link.publish(() => of(session).purge(below), random.chance(0.3) ? random.below(4000) : 0),
    // it lies in the store until somebody who is alive does it, on one connection
    trimAsleep: (session, { hash, below, inMs }) =>
      link.publish(() =>
        clockwork.after(inMs + random.below(2000), () => {
          const store = of(session);
          const { life } = store;
          const last = store.last(true);
          if (!store.isUp || last === undefined || !bytesEqual(hash16(last.bytes), hash)) return;
          clockwork.after(random.below(20), () => {
            if (store.life !== life) return;
            clockwork.meet("a sleeping session is trimmed");
            store.purge(below);
          });
        }),
      ),
    unring: (session, seq) => link.publish(() => of(session).unring(seq)),
    deletePages: (session, names) =>
      link.publish(() => {
        for (const page of names) of(session).deletePage(page);
      }),
  };
}

// The store as a simulated node reaches it: every request is answered or fails; appends may get lost.
import { bytesEqual } from "@voda/stdx";
import type { Resolver, StorePort } from "../../../dataplane/src/reactor/index.ts";
import { hashOf } from "./checks.ts";
import type { Clockwork } from "./clockwork.ts";
import type { Link } from "./link.ts";
import type { SimProcess } from "./process.ts";
import type { SimStore } from "./store.ts";

export interface StorePortOptions {
  readonly clockwork: Clockwork;
  readonly process: SimProcess;
  readonly link: Link;
  readonly store: SimStore;
  readonly say: (line: string) => void;
}

export function createStorePort({ clockwork, process, link, store, say }: StorePortOptions): StorePort {
  const { random } = clockwork;

  function ask<T>({ answered, failed }: Resolver<T>, act: () => T): void {
    let isOver = false;
    const end = (tell: () => void): void => {
      if (isOver) return;
      isOver = true;
      tell();
    };
    link.publish((reply) => {
      const value = act();
      reply(() => end(() => answered(value)));
    });
    process.deliver(700, () => end(failed));
  }

  return {
    append(_session, record, { accepted, refused, rejected }) {
      say(`sends a record expecting ${record.expect}`);
      link.publish((reply) =>
        store.append(record, (result) =>
          reply(() => {
            if (result === "refused") refused();
            else if (result === "full") rejected("the store is full");
            else accepted(result);
          }),
        ),
      );
    },
    last: (_session, leader, asked) => ask(asked, () => store.last(leader)),
    range: (_session, { from, leader, limit }, asked) => ask(asked, () => store.range(from, leader, limit)),
    traces: (_session, asked) => ask(asked, () => store.traces()),
    readPages: (_session, names, asked) => ask(asked, () => names.map((page) => store.readPage(page))),
    writePages: (_session, pages, asked) =>
      ask(asked, () => {
        for (const page of pages) store.writePage(page.name, page.bytes);
      }),
    trim: (_session, below) =>
      link.publish(() => store.purge(below), random.chance(0.3) ? random.below(4000) : 0),
    trimAsleep: (_session, { hash, below, inMs }) =>
      process.deliver(inMs, () =>
        link.publish((reply) => {
          const last = store.last(true);
          const isLast = last !== undefined && bytesEqual(hashOf(last.bytes), hash);
          reply(() => {
            if (!isLast) return;
            clockwork.meet("a sleeping session is trimmed");
            link.publish(() => store.purge(below));
          });
        }),
      ),
    deletePages: (_session, names) =>
      link.publish(() => {
        for (const page of names) store.deletePage(page);
      }),
    writeName: () => undefined,
  };
}

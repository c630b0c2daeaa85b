// A shop whose orders are workflows, and the world outside of it.
import assert from "node:assert/strict";
import { agent, s, signal, VodaError } from "../src/index.ts";

export const approved = signal<{ by: string }>("approved");

/** What the world outside has seen, by key: doing the same twice under one key is doing it once. */
export class Outside {
  readonly asked: string[] = [];
  readonly done = new Map<string, string>();
  do(what: string, key: string): string {
    this.asked.push(what);
    const known = this.done.get(key);
    assert.ok(known === undefined || known === what, `${what} under the key of ${known}`);
    this.done.set(key, what);
    return `${what} done`;
  }
  get effects(): string[] {
    return [...this.done.values()];
  }
}

/** What a call is refused with. */
export const rejection = async (of: Promise<unknown>): Promise<VodaError> => {
  const error: unknown = await of.then(
    () => assert.fail("it must be refused"),
    (reason: unknown) => reason,
  );
  assert.ok(VodaError.is(error), String(error));
  return error;
};

/** A sale takes a signal, a payment and a rest. */
export function shopOf(outside: Outside) {
  return agent("shop", { status: s.register("new"), turns: s.counter() })
    .workflows({
      async checkout(wf, input: { cents: number }) {
        await wf.tx("begin", (state) => {
          state.status = "waiting";
          state.turns.add(1);
        });
        const { by } = await wf.wait(approved);
        const receipt = await wf.run("charge", (op) =>
          outside.do(`charge ${input.cents}`, op.idempotencyKey),
        );
        await wf.sleep("cool down", "1m");
        return wf.tx("end", (state) => {
          state.turns.add(1);
          state.status = `paid by ${by}: ${receipt}`;
          return state.status;
        });
      },
    })
    .handlers({
      place: (ctx, cents: number) => ctx.start.checkout({ cents }, { id: "o" }).id,
      approve: (ctx, by: string) => ctx.notify("o", approved, { by }),
      regret(ctx, cents: number) {
        ctx.start.checkout({ cents }, { id: "o" });
        throw new VodaError("aborted", "no");
      },
    });
}

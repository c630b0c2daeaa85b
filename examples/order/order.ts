import { agent, s, signal, VodaError } from "voda";
import { type Bank, pretendBank } from "./bank.ts";

export const packed = signal<{ parcel: string }>("packed");

type Status = "new" | "placed" | "paid" | "shipped" | "refunded";

/** One session per order. */
export const orderAt = (bank: Bank) =>
  agent("order", { status: s.register<Status>("new"), parcel: s.register("") })
    .readonly({ status: (ctx) => ctx.state.status })
    .workflows({
      async checkout(wf, { cents }: { cents: number }) {
        // done once by its key; taken back when what follows fails or is cancelled
        const receipt = await wf.run("charge", (op) => bank.charge(cents, op.idempotencyKey), {
          retry: { attempts: 3, delay: "200ms" },
          undo: (paid, op) => bank.refund(paid, op.idempotencyKey),
        });
        // a turn of the session, together with the step
        const toPaid = (state: { status: Status }): void => {
          state.status = "paid";
        };
        const toRefunded = (state: { status: Status }): void => {
          state.status = "refunded";
        };
        await wf.tx("paid", toPaid, { undo: toRefunded });
        // for days, if need be: the session sleeps meanwhile; one that nobody packs in time is refunded
        wf.status("waiting for the parcel", 0.5);
        const parcel = await wf.wait(packed, { timeout: "2d" });
        await wf.tx("shipped", (state) => {
          state.status = "shipped";
          state.parcel = parcel.parcel;
        });
        wf.status("shipped", 1);
        return { receipt, parcel: parcel.parcel };
      },
    })
    .handlers({
      place(ctx, cents: number) {
        if (ctx.state.status !== "new") throw new VodaError("failed_precondition", "it is placed already");
        ctx.state.status = "placed";
        return ctx.start.checkout({ cents }, { id: "checkout" });
      },
      pack(ctx, parcel: string) {
        ctx.notify("checkout", packed, { parcel });
        return { parcel };
      },
      // once this turn is committed, what was done is undone; false: it was shipped, or refunded, before
      cancel: (ctx) => ctx.cancelWorkflow("checkout"),
    });

export const order = orderAt(pretendBank());

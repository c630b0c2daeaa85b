// Agents that send to each other.
import { execFileSync } from "node:child_process";
import { agent, s, VodaError } from "voda";
import { defineConfig } from "voda/config";

interface Word {
  readonly from: string;
  /** Counts what `from` has told this session. */
  readonly n: number;
}

const peer = agent(
  "peer",
  { told: s.map<number>(), heard: s.map<number>(), wrong: s.counter() },
  { idle: "1h" },
)
  .readonly({
    books: ({ state: { told, heard, wrong } }) => ({
      told: told.toJSON(),
      heard: heard.toJSON(),
      wrong: wrong.value,
    }),
  })
  .handlers({
    /** Tells each of them one word more. */
    tell(ctx, to: readonly string[]) {
      for (const key of to) {
        const n = (ctx.state.told.get(key) ?? 0) + 1;
        ctx.state.told.set(key, n);
        ctx.send(peers(), key).hear({ from: ctx.key, n });
      }
    },
    tellAndFail(ctx, to: string) {
      ctx.send(peers(), to).hear({ from: ctx.key, n: 1 });
      throw new VodaError("failed_precondition", "not today");
    },
  })
  .handler("hear", { access: "internal" }, (ctx, { from, n }: Word) => {
    const { heard, wrong } = ctx.state;
    if (n !== (heard.get(from) ?? 0) + 1 || ctx.caller.agent?.key !== from) wrong.add(1);
    heard.set(from, n);
  });
const peers = () => peer;

const nobody = agent("nobody").handlers({ hear: () => null });

const sender = agent("sender", { sent: s.counter() }, { idle: "1h" })
  .readonly({ sent: (ctx) => ctx.state.sent.value })
  .handlers({
    toNobody(ctx) {
      ctx.state.sent.add(1);
      ctx.send(nobody, "k").hear();
    },
    toNoMethod(ctx) {
      ctx.state.sent.add(1);
      const hear: unknown = Reflect.get(ctx.send(sink, "k"), "shout");
      if (typeof hear === "function") hear();
    },
    tooLarge(ctx) {
      ctx.state.sent.add(1);
      ctx.send(sink, "k").take("x".repeat(2_000_000));
    },
    tooMany(ctx, count: number) {
      ctx.state.sent.add(1);
      for (let i = 0; i < count; i += 1) ctx.send(sink, "many").take(String(i));
    },
    poison(ctx, key: string) {
      ctx.state.sent.add(1);
      ctx.send(sink, key).refuse("it");
      ctx.send(sink, key).take("after");
      ctx.send(sink, `${key}-neighbour`).take("beside");
    },
    /** One that is refused with a short word. */
    large(ctx, key: string) {
      ctx.state.sent.add(1);
      ctx.send(sink, key).refuse("x".repeat(400_000));
    },
    /** So many to one that takes its time. */
    flood(ctx, { to, count }: { to: string; count: number }) {
      ctx.state.sent.add(count);
      for (let i = 0; i < count; i += 1) ctx.send(sink, to).takeSlowly(i);
    },
  });

const sink = agent("sink", { taken: s.map<number>(), isOpen: s.register(false) }, { idle: "1h" })
  .readonly({ taken: (ctx) => ctx.state.taken.toJSON() })
  .handlers({
    take(ctx, what: string) {
      ctx.state.taken.set(what, (ctx.state.taken.get(what) ?? 0) + 1);
    },
    open(ctx) {
      ctx.state.isOpen = true;
    },
    async takeSlowly(ctx, n: number) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      ctx.state.taken.set(String(n), (ctx.state.taken.get(String(n)) ?? 0) + 1);
    },
    refuse(ctx, what: string) {
      if (what.length > 1_000) throw new VodaError("out_of_range", "it is too long");
      ctx.state.taken.set(what, (ctx.state.taken.get(what) ?? 0) + 1);
      if (!ctx.state.isOpen)
        throw new VodaError("invalid_argument", `${what} is refused`, { reason: "closed" });
    },
  });

/** Its node ends with it, as by a fault in native code. */
const deadly = agent("deadly", { came: s.counter() }, { idle: "1h" })
  .readonly({ came: (ctx) => ctx.state.came.value })
  .handlers({
    dies: () => execFileSync("kill", ["-9", String(process.pid)]).length,
    comes: (ctx) => ctx.state.came.add(1),
    /** To another session: what ends its node, and what comes after that. */
    sends(ctx, to: string) {
      ctx.send(deadlyName, to).dies();
      ctx.send(deadlyName, to).comes();
    },
  });
const deadlyName = agent("deadly").handlers({ dies: () => 0, comes: () => 0 });

export default defineConfig({ agents: [peer, sender, sink, deadly] });

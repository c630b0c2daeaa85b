// Agents that slip in every way that is known, and one beside them, on the same thread, that does nothing
// wrong.
import { agent, s, VodaError } from "voda";
import { defineConfig } from "voda/config";

const { log, error } = console;
log("neighbours are loaded");
process.stdout.write('{"ready":true}\n');

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const beside = agent("beside", { count: s.counter() }, { idle: "1h" })
  .readonly({
    get: (ctx) => ctx.state.count.value,
    async getSlowly(ctx, ms: number) {
      log("getSlowly begins");
      await pause(ms);
      return ctx.state.count.value;
    },
  })
  .handlers({
    add: (ctx, by: number) => ctx.state.count.add(by),
    async addSlowly(ctx, ms: number) {
      ctx.log.info("addSlowly begins", { ms, level: "none of the log's" });
      ctx.state.count.add(1);
      await pause(ms);
      return ctx.state.count.value;
    },
  });

/** Its handlers hold their thread, within their time. */
const patient = agent("patient", { count: s.counter() }, { maxTurn: "2s", idle: "1h" }).handlers({
  hold(ctx, ms: number) {
    for (const untilMs = performance.now() + ms; performance.now() < untilMs; );
    return ctx.state.count.add(1);
  },
});

let turns = 0;
/** Tells how many turns its thread has had. */
const crowded = agent("crowded", {}, { idle: "1h" })
  .readonly({
    hold(_ctx, ms: number) {
      for (const untilMs = performance.now() + ms; performance.now() < untilMs; );
      turns += 1;
      return turns;
    },
  })
  .handlers({
    count() {
      turns += 1;
      return turns;
    },
  });

/** As `rogue` calls itself. */
const rogueName = agent("rogue").handlers({ add: (_ctx, by: number) => by });

const rogue = agent("rogue", { count: s.counter() }, { maxTurn: "2s", idle: "1h" })
  .readonly({ get: (ctx) => ctx.state.count.value })
  .handlers({
    add: (ctx, by: number) => ctx.state.count.add(by),
    forgets(ctx) {
      void pause(10).then(() => {
        throw new Error("the model's stream closed");
      });
      return ctx.state.count.add(1);
    },
    forgetsNow(ctx) {
      void Promise.reject(new Error("rejected at once"));
      return ctx.state.count.add(1);
    },
    throwsLater(ctx) {
      setTimeout(() => {
        throw new Error("thrown by a timer");
      }, 10);
      return ctx.state.count.add(1);
    },
    revoked() {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
    thenGetter: () => ({
      get ["THEN".toLowerCase()](): never {
        throw new Error("read by a getter");
      },
    }),
    badInspect() {
      throw {
        [Symbol.for("nodejs.util.inspect.custom")]() {
          throw new Error("inspected");
        },
      };
    },
    exits(ctx) {
      ctx.state.count.add(1000);
      process.exit(3);
    },
    kills() {
      process.kill(process.pid, "SIGKILL");
      return null;
    },
    async fails() {
      await pause(1);
      throw new RangeError("no such model");
    },
    misspelt() {
      throw new VodaError("invalid_arg" as "invalid_argument", "amount is negative");
    },
    prints(ctx, lines: number) {
      for (let i = 0; i < lines; i += 1) error(`line ${i}`);
      return ctx.state.count.add(1);
    },
    patchesPush() {
      Object.assign(Array.prototype, {
        push: () => {
          throw new Error("patched push");
        },
      });
    },
    schedulesNonsense(ctx) {
      const indexOf = Reflect.get(Array.prototype, "indexOf");
      Object.assign(Array.prototype, {
        indexOf(this: unknown[], one: unknown): unknown {
          return one === "in" ? this.length - 3 : Reflect.apply(indexOf, this, [one]);
        },
      });
      ctx.schedule(rogueName, "later", { in: 0 }).add(1);
      return ctx.state.count.add(1000);
    },
    spins(ctx) {
      ctx.state.count.add(1000);
      for (;;);
    },
    async spinsLater(ctx) {
      ctx.state.count.add(1000);
      await pause(5);
      for (;;);
    },
    fills(ctx) {
      ctx.state.count.add(1000);
      const all: number[][] = [];
      for (;;) all.push(new Array<number>(100_000).fill(1.5));
    },
    async buffers(ctx) {
      ctx.state.count.add(1000);
      const all: Buffer[] = [];
      for (;;) {
        all.push(Buffer.alloc(16 * 1024 * 1024, 1));
        await pause(20);
      }
    },
  });

export default defineConfig({ agents: [beside, crowded, patient, rogue] });

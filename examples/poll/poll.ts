import { agent, s } from "voda";

/** Counts votes; only voters reach `count`. */
export const poll = agent("poll", { votes: s.map<number>() })
  .readonly({ votes: (ctx) => ctx.state.votes })
  .handler("count", { access: "internal" }, (ctx, { from, to }: { from: string; to: string }) => {
    if (from !== "") ctx.state.votes.update(from, (votes = 1) => votes - 1);
    ctx.state.votes.update(to, (votes = 0) => votes + 1);
    return ctx.state.votes.get(to) ?? 0;
  });

/** One session per person: who votes again changes the vote. */
export const voter = agent("voter", { choices: s.map<string>() }).handlers({
  /** A call that is sent again, or runs again after a crash, counts once. */
  async vote(ctx, { in: key, choice }: { in: string; choice: string }) {
    const from = ctx.state.choices.get(key) ?? "";
    ctx.state.choices.set(key, choice);
    return { votes: await ctx.ask(poll, key).count({ from, to: choice }) };
  },
});

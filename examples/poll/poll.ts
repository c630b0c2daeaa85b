import { agent, s } from "voda";

/** What a person is told of polls that have closed. */
export const diary = agent("diary", { results: s.map<string>() })
  .readonly({ results: (ctx) => ctx.state.results })
  .handler("note", { access: "internal" }, (ctx, { of, winner }: { of: string; winner: string }) => {
    ctx.state.results.set(of, winner);
  });

/** Counts votes; only voters reach `count`. */
export const poll = agent("poll", { votes: s.map<number>(), voters: s.set<string>() })
  .readonly({ votes: (ctx) => ctx.state.votes })
  .handler("count", { access: "internal" }, (ctx, { from, to }: { from: string; to: string }) => {
    if (from !== "") ctx.state.votes.update(from, (votes = 1) => votes - 1);
    ctx.state.votes.update(to, (votes = 0) => votes + 1);
    if (ctx.caller.agent !== undefined) ctx.state.voters.add(ctx.caller.agent.key);
    return ctx.state.votes.get(to) ?? 0;
  })
  .handlers({
    /** Everybody who has voted hears of it once, whatever dies meanwhile. */
    close(ctx) {
      const winner = [...ctx.state.votes].reduce(
        (best, one) => (one[1] > best[1] ? one : best),
        ["nothing", 0],
      )[0];
      for (const key of ctx.state.voters) ctx.send(diary, key).note({ of: ctx.key, winner });
      return { winner };
    },
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

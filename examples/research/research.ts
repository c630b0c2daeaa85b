import { agent, s, topic } from "voda";

export interface Finding {
  readonly word: string;
  readonly sentences: number;
  readonly sources: number;
}

/** One session per subject: who subscribed hears each finding once. */
export const findings = topic<"findings", Finding>("findings", { access: "internal" });

/** One session per text. */
export const source = agent("source", { text: s.register("") })
  .readonly({ find: (ctx, word: string) => sentencesWith(ctx.state.text, word) })
  .handlers({
    write(ctx, text: string) {
      ctx.state.text = text;
      return text.length;
    },
  });

const sentencesWith = (text: string, word: string): number =>
  text.split(".").filter((one) => one.toLowerCase().split(/\W+/).includes(word.toLowerCase())).length;

const state = { sources: s.set<string>(), words: s.set<string>() };

/** Asks all sources at once; those that do not answer in time are left out. */
const look = agent("research", state).handler("look", { access: "internal" }, async (ctx, word: string) => {
  const asks = [...ctx.state.sources].map((key) => ctx.ask(source, key).find(word));
  const { ok } = await ctx.gather(asks, { timeout: "5s" });
  const finding = { word, sentences: ok.reduce((sum, one) => sum + one, 0), sources: ok.length };
  ctx.send(findings, ctx.key).publish(finding);
  return finding;
});

/** One session per subject: it looks for words in its sources, and looks again each day. */
export const research = look.handlers({
  read(ctx, key: string) {
    ctx.state.sources.add(key);
    return { sources: ctx.state.sources.size };
  },
  watch(ctx, word: string) {
    ctx.state.words.add(word);
    ctx.send(look, ctx.key).look(word);
    ctx.schedule(look, ctx.key, { every: "1d", id: word }).look(word);
    return { words: ctx.state.words.size };
  },
  drop(ctx, word: string) {
    ctx.state.words.delete(word);
    ctx.cancel(word);
  },
});

/** One session per person, who follows subjects. */
export const board = agent("board", { sentences: s.map<number>() })
  .on(findings, (ctx, { word, sentences }) => {
    ctx.state.sentences.set(word, sentences);
  })
  .readonly({ sentences: (ctx) => ctx.state.sentences })
  .handlers({
    /** What is found from the answer on is heard. */
    async follow(ctx, subject: string) {
      await ctx.ask(findings, subject).subscribe();
      return { follows: subject };
    },
    leave: (ctx, subject: string) => ctx.send(findings, subject).unsubscribe(),
  });

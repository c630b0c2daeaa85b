import { agent, s, VodaError } from "voda";

/** Deletes, then inserts. Offsets and lengths are UTF-16 code units. */
export type Edit = readonly [at: number, deleteCount: number, insert: string];

export const editor = agent("editor", { text: s.text() })
  .readonly({ text: (ctx) => ctx.state.text.toString(), length: (ctx) => ctx.state.text.length })
  .handlers({
    /** Applies all edits in their order, or none; returns the new length. */
    apply(ctx, edits: readonly Edit[]) {
      const { text } = ctx.state;
      if (!Array.isArray(edits))
        throw new VodaError("invalid_argument", "the input is not a list of [at, deleteCount, insert]");
      for (const [index, edit] of edits.entries()) {
        const problem = editProblem(edit, text.length);
        if (problem !== undefined) throw new VodaError("invalid_argument", `edit ${index} ${problem}`);
        const [at, deleteCount, insert] = edit;
        if (deleteCount > 0) text.delete(at, deleteCount);
        if (insert !== "") text.insert(at, insert);
      }
      return text.length;
    },
  });

/**
 * What is wrong with an edit of a text of `length`, or `undefined`. The input came over the network: it may
 * be anything.
 */
function editProblem(edit: unknown, length: number): string | undefined {
  const [at, deleteCount, insert]: readonly unknown[] = Array.isArray(edit) ? edit : [];
  if (!isCount(at) || !isCount(deleteCount) || typeof insert !== "string")
    return "is not [at, deleteCount, insert]";
  if (at + deleteCount > length) return `reaches to ${at + deleteCount} in a text of length ${length}`;
  return undefined;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

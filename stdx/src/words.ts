// What is said of an error: what caused it belongs to it, and some have no words of their own.

/** Deeper causes tell how Node got there. */
const causesMax = 4;
const textless = "a value that has no text";

/** Never empty, and never throws: `fetch failed` alone helps nobody, and an `AggregateError` says nothing. */
export function wordsOf(error: unknown): string {
  const said: string[] = [];
  let at = error;
  for (let depth = 0; depth < causesMax; depth += 1) {
    const { words, cause } = partsOf(at);
    if (words !== "" && !said.some((before) => before.includes(words))) said.push(words);
    if (cause === undefined) break;
    at = cause;
  }
  return said.join(": ") || textless;
}

/** What is told as one line, however many the words had: of several lines often only the last is shown. */
export function oneLine(words: string): string {
  return words.trim().replaceAll(/\s*[\n\r]\s*/g, " ");
}

/**
 * A logger's serializer of errors: `fields` are those it would write by itself. Whatever was thrown is
 * written with a `message`.
 */
export function withWords(fields: (error: Error) => object): (error: unknown) => object {
  return (error) => ({ ...(error instanceof Error && fields(error)), message: wordsOf(error) });
}

/** Anything may have been thrown, also what throws when it is looked at. */
function partsOf(error: unknown): { readonly words: string; readonly cause?: unknown } {
  try {
    if (!(error instanceof Error)) return { words: String(error) || "an empty text" };
    const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
    const cause = error.cause ?? first;
    return { words: ownWords(error, cause), cause };
  } catch {
    return { words: textless };
  }
}

/** Of a message that is empty, the code stands for it, or what caused it, or the name. */
function ownWords(error: Error, cause: unknown): string {
  if (error.message !== "") return error.message;
  if ("code" in error && typeof error.code === "string") return error.code;
  return cause === undefined ? error.name : "";
}

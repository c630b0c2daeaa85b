// What is said of an error: what caused it belongs to it, and some have no words of their own.

/** Deeper causes tell how Node got there. */
const causesMax = 4;

/** Never empty: `fetch failed` alone helps nobody, and an `AggregateError` says nothing. */
export function wordsOf(error: unknown): string {
  const said: string[] = [];
  let at = error;
  for (let depth = 0; depth < causesMax && (depth === 0 || at !== undefined); depth += 1) {
    const words = ownWords(at);
    if (!said.some((before) => before.includes(words))) said.push(words);
    at = at instanceof Error ? at.cause : undefined;
  }
  return said.join(": ");
}

/** What is told as one line, however many the words had: of several lines often only the last is shown. */
export function oneLine(words: string): string {
  return words.trim().replaceAll(/\s*\n\s*/g, " ");
}

function ownWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.message !== "") return error.message;
  if (error instanceof AggregateError && error.errors.length > 0) return ownWords(error.errors[0]);
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}

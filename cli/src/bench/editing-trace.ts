// Real editing histories: {startContent, endContent, txns: [{patches: [[position, deleted, inserted]]}]},
// positions in code points.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import * as v from "valibot";

/** Position and deleted length in UTF-16 code units, as `text` fields count, and the inserted text. */
export type Edit = readonly [position: number, deleted: number, inserted: string];

/** A document's history: applying all edits in order to the first text gives the last. */
export interface EditingTrace {
  readonly startContent: string;
  readonly endContent: string;
  readonly edits: readonly Edit[];
}

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const TraceSchema = v.object({
  startContent: v.string(),
  endContent: v.string(),
  txns: v.array(v.object({ patches: v.array(v.tuple([count, count, v.string()])) })),
});

/** Reads `*.json` or `*.json.gz`. @throws when the file is not such a trace */
export function readTrace(file: string): EditingTrace {
  const bytes = readFileSync(file);
  const parsed = v.safeParse(
    TraceSchema,
    JSON.parse((file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8")),
  );
  if (!parsed.success) {
    const issue = parsed.issues[0];
    throw new Error(
      `${file} is not an editing trace: ${v.getDotPath(issue) ?? "the file"}: ${issue.message}`,
    );
  }
  const { startContent, endContent, txns } = parsed.output;
  return {
    startContent,
    endContent,
    edits: toCodeUnits(
      startContent,
      txns.flatMap((txn) => txn.patches),
    ),
  };
}

/**
 * Translates positions from code points, which needs the text before each edit as soon as it has a surrogate
 * pair.
 */
export function toCodeUnits(startContent: string, patches: readonly Edit[]): Edit[] {
  let text = startContent;
  let paired = hasPair(text);
  return patches.map(([position, deleted, inserted]) => {
    // Until the first pair, code points and units of UTF-16 count the same.
    paired ||= hasPair(inserted);
    const from = paired ? unitOf(text, 0, position) : position;
    const to = paired ? unitOf(text, from, deleted) : position + deleted;
    text = text.slice(0, from) + inserted + text.slice(to);
    return [from, to - from, inserted];
  });
}

/** Consecutive edits, `size` at a time. */
export function groupEdits(edits: readonly Edit[], size: number): Edit[][] {
  return Array.from({ length: Math.ceil(edits.length / size) }, (_, i) =>
    edits.slice(i * size, (i + 1) * size),
  );
}

function hasPair(text: string): boolean {
  return /[\uD800-\uDBFF]/.test(text);
}

/** The unit of UTF-16 that lies `codePoints` after `from`. */
function unitOf(text: string, from: number, codePoints: number): number {
  let at = from;
  for (let left = codePoints; left > 0; left -= 1) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return at;
}

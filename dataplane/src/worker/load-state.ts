// The state of a session that comes into memory.
import {
  type Crc32,
  openState,
  type Schema,
  SchemaError,
  type SessionState,
  UnsupportedFormatError,
} from "@voda/state";
import { wordsOf } from "@voda/stdx";
import { type Failed, fail } from "../call/index.ts";

/** What it is made of: pages in order, then the deltas of the turns after them. */
export interface StoredState {
  readonly pages: readonly Uint8Array[];
  readonly deltas: readonly Uint8Array[];
}

/** A state that does not load is the end of this session here, and of no other. */
export function loadState(
  schema: Schema,
  { pages, deltas }: StoredState,
  crc32: Crc32,
): SessionState | Failed {
  try {
    const state = openState(schema, { crc32 }, pages.length > 0 ? [...pages] : undefined);
    // Turns that changed nothing have left deltas of no bytes.
    for (const delta of deltas) if (delta.length > 0) state.apply(delta);
    return state;
  } catch (error) {
    return fail(reasonOf(error), `the session's state does not load: ${wordsOf(error)}`);
  }
}

/**
 * Only damage may be told as such: a schema that does not fit, or a later version, is mended by a deployment.
 */
function reasonOf(error: unknown): "schema" | "corrupt" | "unsupported_format" {
  if (error instanceof UnsupportedFormatError) return "unsupported_format";
  return error instanceof SchemaError ? "schema" : "corrupt";
}

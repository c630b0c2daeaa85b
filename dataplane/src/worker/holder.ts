// Who holds this thread: asked by the host's debugger, which stops the code wherever it is.
import { findSourceMap } from "node:module";
import { pathToFileURL } from "node:url";
import { sourceScheme } from "@voda/proto/wire";
import { currentOrigin } from "./origin.ts";

/** The global by which it is asked. */
const name = Symbol.for("voda.holder");

/**
 * Answers with JSON: the call for which code runs, and the user's own place of a line and column of the
 * bundle, both from 0.
 */
export function registerHolder(bundle: string): void {
  const url = pathToFileURL(bundle).href;
  const placeOf = (line: number, column: number): string | undefined => {
    const entry = findSourceMap(url)?.findEntry(line, column);
    if (entry === undefined || !("originalSource" in entry)) return undefined;
    const { originalSource, originalLine, originalColumn } = entry;
    return `${originalSource.replace(sourceScheme, "")}:${originalLine + 1}:${originalColumn + 1}`;
  };
  Object.defineProperty(globalThis, name, {
    value: (line: number, column: number) =>
      JSON.stringify({ speaker: currentOrigin() ?? {}, at: placeOf(line, column) }),
  });
}

// Files that a start cannot do without: later a full disk must not end what runs, now it is an error.
import { wordsOf } from "@voda/stdx";
import { replaceFile } from "@voda/stdx/replace-file";
import { CliError } from "../failure.ts";

/** @throws CliError which names the file */
export function writeFirst(path: string, content: string): void {
  firstOf(path, () => replaceFile(path, content));
}

/** What `write` returns, which writes that file. @throws CliError which names the file */
export function firstOf<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    throw unwritable(path, error, "make room on its disk, or name another folder with --data-dir");
  }
}

/** Node's words without the paths in them: those are of the file that is written beside and then renamed. */
export function unwritable(what: string, cause: unknown, next: string): CliError {
  const why = wordsOf(cause).replace(/, [a-z]+(?: '.*)?$/s, "");
  return new CliError(`${what} cannot be written: ${why}; ${next}`, undefined, { cause });
}

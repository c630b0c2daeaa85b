// Modules that are loaded with a piece of their source replaced: what a test must break is broken here, never
// by a switch in the product.
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

/** One exact piece of a source file and what stands there instead. */
export interface Patch {
  /** Path from the top of the repository. */
  readonly file: string;
  /** Must be in the file exactly once: a patch that no longer matches fails instead of testing nothing. */
  readonly find: string;
  readonly replace: string;
}

const top = new URL("../../../", import.meta.url).href;
const parameter = "variant";
/** Of all modules of this thread. */
const everywhere: Patch[] = [];
/** Of modules loaded under an address that names the variant. */
const variants = new Map<string, readonly Patch[]>();

/**
 * Patches a file for every module of this thread that is loaded from now on. What is loaded already stays as
 * it is: call it before anything that imports the file, for example in a file given to `node --import`.
 * @throws RangeError when `find` is not in the file exactly once
 */
export function patchSource(file: string, find: string, replace: string): void {
  const patch = { file, find, replace };
  check([...everywhere, patch]);
  everywhere.push(patch);
}

/**
 * The address under which `entry` and everything of the repository that it imports are loaded once more,
 * patched, beside what is loaded already. The same name is given out once.
 * @throws RangeError when a `find` is not in its file exactly once
 */
export function patchedVariant(entry: URL, name: string, patches: readonly Patch[]): string {
  if (variants.has(name)) throw new RangeError(`there is a variant ${name} already`);
  check(patches);
  variants.set(name, patches);
  const url = new URL(entry);
  url.searchParams.set(parameter, name);
  return url.href;
}

/** @throws RangeError */
function check(patches: readonly Patch[]): void {
  for (const file of new Set(patches.map((patch) => patch.file)))
    applyPatches(file, readFileSync(new URL(file, top), "utf8"), patches);
}

/** @throws RangeError */
function applyPatches(file: string, source: string, patches: readonly Patch[]): string {
  let text = source;
  for (const { find, replace } of patches.filter((patch) => patch.file === file)) {
    const [before, after, ...more] = text.split(find);
    if (before === undefined || after === undefined || more.length > 0) {
      const count = text.split(find).length - 1;
      throw new RangeError(`a patch of ${file} matches ${count} times instead of once: ${find}`);
    }
    text = before + replace + after;
  }
  return text;
}

const variantOf = (url: string | undefined): string | null =>
  url?.startsWith(top) === true ? new URL(url).searchParams.get(parameter) : null;

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    const variant = variantOf(context.parentURL);
    if (variant === null || !found.url.startsWith(top) || found.url.includes("/node_modules/")) return found;
    const url = new URL(found.url);
    url.searchParams.set(parameter, variant);
    return { ...found, url: url.href };
  },
  load(url, context, next) {
    const loaded = next(url, context);
    if (!url.startsWith(top)) return loaded;
    const patches = variants.get(variantOf(url) ?? "") ?? everywhere;
    const file = fileURLToPath(url).slice(fileURLToPath(top).length);
    if (!patches.some((patch) => patch.file === file)) return loaded;
    return { ...loaded, source: applyPatches(file, readFileSync(new URL(file, top), "utf8"), patches) };
  },
});

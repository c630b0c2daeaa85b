// What cannot move into the bundle, because it finds its parts by where it lies: packages with native code,
// WebAssembly, data files or workers, and the user's own modules that read files beside them. Such packages
// are imported from where they are installed, and such modules keep their own URL: on the machine where they
// were deployed all of it works, elsewhere only where the same files are at the same paths.
import { dirname, relative } from "node:path";
import { pathToFileURL } from "node:url";
import type { Plugin, PluginContext } from "rolldown";
import { parseAst } from "rolldown/parseAst";

/** Names what has to be on every machine that runs the bundle. */
export interface Stays {
  readonly packages: readonly string[];
  /** Modules of the user, relative to the config's folder. */
  readonly files: readonly string[];
}

/**
 * How code of packages looks for its parts. A match too many costs nothing on this machine, one too few fails
 * at the first call: so it is a search in the text, and what only may be such a use counts.
 */
const dynamicPatterns = [
  /\bimport\.meta\b/,
  /\b__(dirname|filename)\b/,
  /\bcreateRequire\b/,
  /\brequire\.(resolve|main|cache)\b/,
  /\brequire\(\s*[^"'\s)]/, // a name that is put together at run time
  /\bworker_threads\b|\bprocess\.dlopen\b/,
];
/** Loaded as they are, by the package that knows how. */
const noModule = /\.(node|wasm)$/;
const isScript = /\.[cm]?[jt]sx?$/;

/**
 * The innermost package that a file belongs to, as the path of its folder; undefined for the user's own
 * files.
 */
function packageOf(id: string): string | undefined {
  return /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+(?=[\\/])/.exec(id)?.[0];
}

const afterModules = /(?<=node_modules[\\/])(?!.*node_modules).*$/;
const nameOf = (folder: string): string => (afterModules.exec(folder)?.[0] ?? folder).replaceAll("\\", "/");

/**
 * Follows one build. What it finds about packages takes effect in the next one: only then is the whole graph
 * known.
 */
export class Places {
  /** Folders of packages that the user's modules import from where they are. */
  readonly #outside: ReadonlySet<string>;
  /** Modules of packages that look around. */
  readonly #around = new Set<string>();
  readonly #files = new Set<string>();
  /** Who imports what is not installed. */
  readonly #lacking = new Map<string, string>();
  readonly #folder: string;
  #found: ReadonlySet<string>;

  constructor(config: string, outside: ReadonlySet<string> = new Set()) {
    this.#folder = dirname(config);
    this.#outside = outside;
    this.#found = outside;
  }

  /**
   * After the build: the packages that must stay outside; the build is right when it was told of all of them.
   */
  get outside(): ReadonlySet<string> {
    return this.#found;
  }

  get isComplete(): boolean {
    return this.#found.size === this.#outside.size;
  }

  /** The user's module that imports a package which is not installed. */
  importerOf(missing: string): string | undefined {
    return this.#lacking.get(missing);
  }

  stays(): Stays {
    const sorted = (names: Iterable<string>): string[] => [...names].toSorted();
    const folder = this.#folder;
    return {
      packages: sorted([...this.#outside].map(nameOf)),
      files: sorted([...this.#files].map((file) => relative(folder, file))),
    };
  }

  plugin(): Plugin {
    const isOutside = (folder: string): boolean => this.#outside.has(folder);
    const isLacking = (specifier: string, importer: string): void =>
      void this.#lacking.set(specifier, importer);
    const foundAround = (id: string): void => void this.#around.add(id);
    const keepPlace = (code: string, id: string) => this.#keepPlace(code, id);
    const close = (context: PluginContext): void => {
      const found = [...this.#around].flatMap((id) => borders(context, id));
      this.#found = new Set([...this.#outside, ...found]);
    };
    return {
      name: "voda-places",
      async resolveId(specifier, importer, { kind }) {
        if (importer === undefined || packageOf(importer) !== undefined || !/^[@#\w]/.test(specifier))
          return null;
        const resolved = await this.resolve(specifier, importer, { kind, skipSelf: true });
        if (resolved === null) isLacking(specifier, importer);
        const folder = resolved === null || resolved.external ? undefined : packageOf(resolved.id);
        if (resolved === null || folder === undefined || !isOutside(folder)) return resolved;
        // `require` takes paths and no URLs, `import` both, but no path of Windows.
        return {
          id: kind === "require-call" ? resolved.id : pathToFileURL(resolved.id).href,
          external: true,
        };
      },
      load(id) {
        if (!noModule.test(id)) return null;
        if (packageOf(id) !== undefined) foundAround(id);
        return { code: "export default undefined;", moduleType: "js" };
      },
      transform(code, id) {
        if (id.startsWith("\0") || !isScript.test(id)) return null; // the first are the bundler's own
        if (packageOf(id) === undefined) return keepPlace(code, id);
        if (dynamicPatterns.some((pattern) => pattern.test(code))) foundAround(id);
        return null;
      },
      buildEnd() {
        close(this);
      },
    };
  }

  /** The module's own place, written into it. */
  #keepPlace(code: string, id: string): { code: string; map: null } | null {
    if (!/import\.meta|__(?:dirname|filename)/.test(code)) return null;
    const isCommonJs = /\.c[jt]s$/.test(id);
    const words: Readonly<Record<string, string>> = {
      url: pathToFileURL(id).href,
      dirname: dirname(id),
      filename: id,
      ...(isCommonJs && { __dirname: dirname(id), __filename: id }),
    };
    const uses = usesOfPlace(parseAst(code, { lang: /tsx?$/.test(id) ? "ts" : "js" }, id), isCommonJs);
    if (uses.length === 0) return null;
    this.#files.add(id);
    let kept = code;
    for (const { start, end, word } of uses.toSorted((a, b) => b.start - a.start))
      kept = `${kept.slice(0, start)}${JSON.stringify(words[word])}${kept.slice(end)}`;
    return { code: kept, map: null }; // on the same lines
  }
}

/** Packages by which the user's modules reach this one: there the graph is cut. */
function borders(context: PluginContext, module: string): string[] {
  const found = new Set<string>();
  const seen = new Set([module]);
  for (const id of seen) {
    const info = context.getModuleInfo(id);
    for (const importer of [...(info?.importers ?? []), ...(info?.dynamicImporters ?? [])]) {
      if (packageOf(importer) !== undefined) seen.add(importer);
      else found.add(packageOf(id) ?? id);
    }
  }
  return [...found];
}

interface Use {
  readonly start: number;
  readonly end: number;
  readonly word: string;
}

const isPlaceOfModule: ReadonlySet<unknown> = new Set(["url", "dirname", "filename"]);
const isPlaceOfCommonJs: ReadonlySet<unknown> = new Set(["__dirname", "__filename"]);

/** `import.meta.url` and its like, wherever they stand. */
function usesOfPlace(tree: unknown, isCommonJs: boolean): readonly Use[] {
  const uses: Use[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) for (const part of node) visit(part);
    if (!isNode(node)) return;
    const { type, start, end, object, property, name } = node;
    if (type === "MemberExpression" && isNode(object) && object.type === "MetaProperty" && isNode(property)) {
      if (isPlaceOfModule.has(property.name)) uses.push({ start, end, word: String(property.name) });
    } else if (isCommonJs && type === "Identifier" && isPlaceOfCommonJs.has(name))
      uses.push({ start, end, word: String(name) });
    else for (const part of Object.values(node)) visit(part);
  };
  visit(tree);
  return uses;
}

interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly object?: unknown;
  readonly property?: unknown;
  readonly name?: unknown;
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && "type" in value && "start" in value && "end" in value;
}

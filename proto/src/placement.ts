// What an agent may ask of its node: ranges, and what is wrong with a list. Runs in a browser too.

/** What may rank the nodes that fit, the default first; `placement/policies.ts` of the control plane has them. */
export const policyNames = [
  "bpf",
  "fgd",
  "bestFit",
  "dotProduct",
  "gpuPacking",
  "gpuClustering",
  "random",
  "spread",
] as const;
/** What `--placement-policy` takes. */
export type PolicyName = (typeof policyNames)[number];
/** Thousandths of a core that one session may take: 1,024 cores. */
export const cpuMilliMax = 1_024_000;
/** MiB of memory, of the host or of one GPU, that one session may take: 16 TiB. */
export const memoryMibMax = 16_777_216;
/** MiB of disk that one session may take: 16 TiB. */
export const diskMibMax = 16_777_216;
/** GPUs that one session may have to itself. */
export const wholeGpusMax = 64;
/** Of one node in all: what the books of a pool hold. */
export const nodeCpuMilliMax = 2 ** 31 - 1;
export const nodeMemoryMibMax = 2 ** 31 - 1;
export const nodeDiskMibMax = 2 ** 31 - 1;
/**
 * GPUs of one node: they fit the bits of a device mask, and a grant that gives out all of them stays below
 * `grantBytesMax`.
 */
export const gpusPerNodeMax = 16;
/** Shares of a device are counted in thousandths: this is all of one. */
export const gpuMilliWhole = 1000;
/** Labels of one list. */
export const labelsMax = 16;
/** Characters of one label. */
export const labelCharactersMax = 63;
/** GPU models that one agent may name. */
export const gpuModelsMax = 16;
/** Characters of one GPU model. */
export const gpuModelCharactersMax = 128;

/**
 * Who may share a device with a session that asks for a fraction of it. `shared`: any other `shared` session.
 * `process`: sessions of its own namespace that are `process` too. `dedicated`: nobody. Whole GPUs are never
 * shared, whatever the class.
 */
export const isolations = ["shared", "process", "dedicated"] as const;
/** One of `isolations`. */
export type Isolation = (typeof isolations)[number];

/** Where the sessions of an agent may go, as plain data. */
export interface PlacementRules {
  /** Compared exactly; empty means any. */
  readonly gpuModels: readonly string[];
  readonly isolation: Isolation;
  readonly labels: readonly string[];
  readonly affinity: readonly string[];
  readonly antiAffinity: readonly string[];
  /** One of `labels`; empty means none. */
  readonly spread: string;
}

const labelText = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const controlCharacter = /\p{Cc}/u;

/** What is wrong with the rules, or `undefined`; the text begins with the name of the rule. */
export function rulesProblem(rules: PlacementRules): string | undefined {
  return (
    labelsProblem("labels", rules.labels) ??
    labelsProblem("affinity", rules.affinity) ??
    labelsProblem("antiAffinity", rules.antiAffinity) ??
    contradiction(rules) ??
    spreadProblem(rules) ??
    modelsProblem(rules.gpuModels)
  );
}

/** A name of something, as Kubernetes writes the values of its labels. */
export function isLabel(text: string): boolean {
  return text.length <= labelCharactersMax && labelText.test(text);
}

function labelsProblem(what: string, labels: readonly string[]): string | undefined {
  if (labels.length > labelsMax) return `${what} has ${labels.length} labels; labelsMax is ${labelsMax}`;
  const wrong = labels.find((label) => !isLabel(label));
  if (wrong !== undefined)
    return (
      `${what} has ${quoted(wrong)}, which is not a label: 1 to ${labelCharactersMax} letters, digits, ` +
      '"-", "_" and ".", first and last a letter or digit'
    );
  return twice(what, labels);
}

function contradiction({ affinity, antiAffinity }: PlacementRules): string | undefined {
  const both = antiAffinity.find((label) => affinity.includes(label));
  return both === undefined
    ? undefined
    : `antiAffinity has ${quoted(both)}, which is in affinity too: no node can do both`;
}

function spreadProblem({ spread, labels }: PlacementRules): string | undefined {
  if (spread === "" || labels.includes(spread)) return undefined;
  return `spread ${quoted(spread)} is not among labels; sessions are spread by a label of their own`;
}

function modelsProblem(models: readonly string[]): string | undefined {
  if (models.length > gpuModelsMax)
    return `gpuModels has ${models.length} models; gpuModelsMax is ${gpuModelsMax}`;
  const wrong = models.find(
    (model) => model === "" || model.length > gpuModelCharactersMax || controlCharacter.test(model),
  );
  if (wrong !== undefined)
    return (
      `gpuModels has ${quoted(wrong)}, which is not a model: 1 to ${gpuModelCharactersMax} characters, ` +
      "as nodes report it"
    );
  return twice("gpuModels", models);
}

function twice(what: string, names: readonly string[]): string | undefined {
  const found = names.find((name, at) => names.indexOf(name) !== at);
  return found === undefined ? undefined : `${what} has ${quoted(found)} twice`;
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}

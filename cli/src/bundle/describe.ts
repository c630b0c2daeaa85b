// A program of its own: loads the bundle named by its argument, so that the user's code runs apart from the
// command, and sends the agents as plain data, or what went wrong, to its parent.
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";
import { wordsOf } from "@voda/stdx";
import { type AgentDefinition, definitionOf, isAgent, isProvided } from "voda/definition";

/** What the program tells its parent, once. */
export type Description =
  | { readonly type: "agents"; readonly agents: readonly AgentDefinition[] }
  | { readonly type: "failed"; readonly message: string; readonly stack: string };

// The bundle lies in a data directory, from where what voda provides cannot be found.
registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier, isProvided(specifier) ? { ...context, parentURL: import.meta.url } : context),
});

// The channel is ours: what the user's code finds there would be taken for the description.
const send = process.send?.bind(process);
delete process.send;
let isTold = false;
function answer(description: Description): void {
  if (!isTold) send?.(description, () => process.exit(0)); // whatever the user's code left running
  isTold = true;
}

// Nothing is left to do, and a module still waits. That nothing here awaits it at the top level keeps Node
// from a warning of its own, about this file.
process.once("beforeExit", () =>
  answer({
    type: "failed",
    message:
      "the config did not load: an await at its top level, or of what it imports, waits for what never comes",
    stack: "",
  }),
);
process.once("uncaughtException", (error: unknown) => answer(failedBy(error)));
void describeBundle(process.argv[2] ?? "").then(answer);

async function describeBundle(file: string): Promise<Description> {
  try {
    const loaded: { default?: unknown } = await import(pathToFileURL(file).href);
    if (!("default" in loaded))
      throw new TypeError(
        `the config has no default export: export default defineConfig({ agents: [...] }); ${exportsWords(loaded)}`,
      );
    return { type: "agents", agents: agentsOf(loaded.default) };
  } catch (error) {
    return failedBy(error);
  }
}

function exportsWords(module: object): string {
  const names = Object.keys(module);
  return names.length === 0 ? "it exports nothing" : `it exports ${names.join(", ")}`;
}

function failedBy(error: unknown): Description {
  if (!(error instanceof Error))
    return { type: "failed", message: `it threw ${inspect(error)}, which is no Error`, stack: "" };
  return { type: "failed", message: wordsOf(error), stack: error.stack ?? "" };
}

function agentsOf(config: unknown): readonly AgentDefinition[] {
  const agents =
    typeof config === "object" && config !== null && "agents" in config ? config.agents : undefined;
  if (!Array.isArray(agents) || !agents.every(isAgent) || agents.length === 0)
    throw new TypeError(
      "the config's default export has no agents: export default defineConfig({ agents: [...] })",
    );
  return agents.map(definitionOf);
}

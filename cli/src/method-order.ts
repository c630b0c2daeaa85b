// In which order people are shown the methods of an agent.
import { workflowMethodNames } from "voda/definition";

/**
 * Those that an author wrote before those that each agent with workflows has, and what clients reach before
 * what they do not. What begins with an underscore is between voda and itself, and is not shown.
 */
export function inOrderOfUse<M extends { readonly name: string }>(
  methods: readonly M[],
  isInternal: (method: M) => boolean,
): readonly M[] {
  const place = (method: M): number =>
    2 * Number(workflowMethodNames.has(method.name)) + Number(isInternal(method));
  return methods.filter(({ name }) => !name.startsWith("_")).toSorted((a, b) => place(a) - place(b));
}

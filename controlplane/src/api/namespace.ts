// The namespace of a request.
import { defaultNamespace, identifierProblem } from "@voda/proto/session";
import { ControlError } from "../errors.ts";

/** Empty means `default`. @throws ControlError `bad_request` */
export function namespaceOf(text: string): string {
  const namespace = text === "" ? defaultNamespace : text;
  const problem = identifierProblem("namespace", namespace);
  if (problem !== undefined) throw ControlError.of("bad_request", problem);
  return namespace;
}

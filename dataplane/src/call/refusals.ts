// What is refused in the same words in several places.
import { type Agent, MethodAccess } from "@voda/proto/api";
import { unknownEffect } from "@voda/proto/wire";
import { type Failed, type Failure, fail } from "./answer.ts";
import type { AbandonReason } from "./call.ts";

/**
 * Asks of one session that are not answered, in the worker; and that have not left, in its lane: those stay
 * until they may leave or their turn ends, also when their time is over.
 */
export const asksMax = 1_024;

/** One more than `asksMax`. */
export const tooManyAsks = (): Failed =>
  fail(
    "queue_full",
    `${asksMax} asks of the session wait, as many as asksMax allows: await some before it asks more`,
  );

const effectWords = {
  none: " while the call waited: it did not begin, and nothing was done",
  undone: " under the call, which is undone; what its handler did elsewhere is not",
  perhaps: "; whether the call took effect is unknown",
} as const;

/** Of a call that nobody waits for any more. `effect`: what it did. */
export function left(why: AbandonReason, effect: keyof typeof effectWords): Failure {
  const more = effect === "perhaps" ? { metadata: unknownEffect } : {};
  return why === "deadline"
    ? fail("turn_timeout", `the deadline passed${effectWords[effect]}`, more).failure
    : fail("interrupted", `the caller went away${effectWords[effect]}`, more).failure;
}

const namesShownMax = 20;
const nameCharsMax = 128;

/** `names`: those that whoever reads it may know. */
export function noMethod(agent: string, method: string, names: Iterable<string>): Failed {
  return fail("method_not_found", `agent ${agent} has no method ${shown(method)}; it has: ${listOf(names)}`);
}

/** To an agent, whose client may read it: internal ones are not named, but said to be there. */
export function noAskedMethod({ name, methods }: Agent, method: string): Failed {
  const open = methods.filter(({ access }) => access !== MethodAccess.INTERNAL);
  const refusal = noMethod(
    name,
    method,
    open.map((one) => one.name),
  );
  if (open.length === methods.length) return refusal;
  const { message } = refusal.failure;
  return fail("method_not_found", `${message}, and internal ones (npx voda agents ls ${name} names them)`);
}

/** A name that somebody sent. */
export function shown(name: string): string {
  return name.length > nameCharsMax ? `${name.slice(0, nameCharsMax)}...` : name;
}

/** So many names that a person reads them. */
export function listOf(names: Iterable<string>): string {
  const all = [...names];
  if (all.length === 0) return "none";
  return all.length > namesShownMax
    ? `${all.slice(0, namesShownMax).join(", ")} and ${all.length - namesShownMax} more`
    : all.join(", ");
}

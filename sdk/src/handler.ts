// What may stand beside one handler: the schema of its input, its time, who may call it.
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { descriptionCharsMax } from "@voda/proto/wire";
import type { Internal } from "./agent-types.ts";
import type { Ctx, ReadCtx } from "./context.ts";
import type { MethodMode } from "./definition.ts";
import { type Duration, durationMs } from "./duration.ts";
import { type CheckInput, inputCheck } from "./input.ts";
import { refuseUnknown, turnRange } from "./options.ts";
import type { Schema } from "./schema.ts";

/** Options of one handler. */
export interface HandlerOptions {
  /**
   * Checks the input before the handler runs, also asynchronously; the handler gets what the schema returns.
   * An input that does not fit is `invalid_argument` with the reason `invalid_input`. Default: unchecked.
   */
  readonly input?: StandardSchemaV1;
  /** How long a call of it may run, with the check of its input: 1 ms to 1 hour. Default: `maxTurn`. */
  readonly timeout?: Duration;
  /** `internal`: agents ask it, clients cannot reach it. Default `public`. */
  readonly access?: "public" | "internal";
  /** For people: what it does, at most 1,024 characters. */
  readonly description?: string;
  /**
   * What becomes of a call while a turn of the session runs: it waits, or it is refused at once, `aborted`
   * with the reason `busy`. Only of handlers that write; a call that is sent again is no other one. Default
   * `queue`.
   */
  readonly onBusy?: "queue" | "reject";
  /** `true`: as in the block `readonly`, it runs beside others and cannot write. Default `false`. */
  readonly readonly?: boolean;
}

/** The context of a handler with these options. */
export type ContextOf<S extends Schema, O, W extends object> = O extends { readonly readonly: true }
  ? ReadCtx<S>
  : Ctx<S, W>;

type Sending<X> = undefined extends X ? [input?: X] : [input: X];

/** A handler with a schema as its callers see it: they send what the schema takes. */
export type Checked<C, I extends StandardSchemaV1, R> = (
  ctx: C,
  ...input: Sending<StandardSchemaV1.InferInput<I>>
) => R;

/** Who sees a handler with these options. */
export type Reached<O> = O extends { readonly access: "internal" } ? Internal : unknown;

/** The options with their defaults. */
export interface HandlerSettings {
  readonly check: CheckInput | undefined;
  readonly mode: MethodMode;
  /** What of them is plain data. */
  readonly plain: {
    readonly access?: "internal";
    readonly turnMsMax?: number;
    readonly description?: string;
    readonly onBusy?: "reject";
  };
}

const optionNames: ReadonlySet<string> = new Set([
  "input",
  "timeout",
  "access",
  "description",
  "onBusy",
  "readonly",
]);

/** @throws TypeError for an unknown or malformed option, RangeError for one out of range */
export function handlerSettings(what: string, options: HandlerOptions): HandlerSettings {
  refuseUnknown(`${what}: option`, options, optionNames);
  const { input, timeout, access = "public", description, onBusy = "queue", readonly = false } = options;
  if (access !== "public" && access !== "internal")
    throw new TypeError(`${what}: access of ${JSON.stringify(access)} is none of public, internal`);
  if (typeof readonly !== "boolean")
    throw new TypeError(`${what}: readonly of ${JSON.stringify(readonly)} is neither true nor false`);
  if (onBusy !== "queue" && onBusy !== "reject")
    throw new TypeError(`${what}: onBusy of ${JSON.stringify(onBusy)} is none of queue, reject`);
  if (readonly && options.onBusy !== undefined)
    throw new TypeError(`${what}: onBusy is of handlers that write: a readonly one waits for no turn`);
  if (description !== undefined && typeof description !== "string")
    throw new TypeError(`${what}: the description is not a text`);
  if (description !== undefined && description.length > descriptionCharsMax)
    throw new RangeError(
      `${what}: a description of ${description.length} characters exceeds descriptionCharsMax ${descriptionCharsMax}`,
    );
  return {
    check: input === undefined ? undefined : inputCheck(`${what}: input`, input),
    mode: readonly ? "readonly" : "handler",
    plain: {
      ...(access === "internal" && { access }),
      ...(timeout !== undefined && { turnMsMax: durationMs(`${what}: timeout`, timeout, turnRange) }),
      ...(description !== undefined && { description }),
      ...(onBusy === "reject" && { onBusy }),
    },
  };
}

// The state schema of an agent: one field per property of `ctx.state`.
import type { StandardSchemaV1 } from "@standard-schema/spec";
import {
  type FieldKind,
  fieldKindNames,
  fieldKinds,
  type Handles,
  type Scalar,
  type ValueKind,
} from "@voda/proto/fields";
import { BrokenSchemaError, describeIssues, ofSchema, resultOf } from "./issues.ts";
import { type IfJson, type Json, jsonProblem } from "./json.ts";
import { isReservedName, nameProblem, reservedProblem } from "./name.ts";
import { didYouMean } from "./near.ts";
import { refuseUnknown, whole } from "./options.ts";
import { isThenable } from "./thenable.ts";

export type { FieldKind };

declare const valueType: unique symbol;
const fieldKey: unique symbol = Symbol.for("voda.field");

/** One field of the state; made by `s`. */
export interface Field<K extends FieldKind, V> {
  /** What the field can do, and how it is stored. */
  readonly kind: K;
  readonly [fieldKey]: FieldParts;
  readonly [valueType]?: V;
}

/** The state schema: names of properties and their fields. */
export interface Schema {
  readonly [name: string]: Field<FieldKind, unknown>;
}

/** Any schema library that speaks Standard Schema: valibot, zod, arktype, ... */
export type SchemaOf<X> = StandardSchemaV1<unknown, X>;

/** What a schema says of a value that is about to be written. */
export type Validation =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: string };
/**
 * Checks a value before it is written to a register or a map. `what`: whose schema it is, `path`: where the
 * value is to stand. @throws BrokenSchemaError
 */
export type Validate = (value: unknown, what: string, path: string) => Validation;

interface FieldParts {
  readonly initial?: Json;
  readonly keep?: number;
  readonly validate?: Validate;
}

type FieldOf<K extends FieldKind, X> = IfJson<X, Field<K, X>>;

interface RegisterMaker {
  /**
   * One JSON value, read and assigned as an ordinary property: `ctx.state.title = "x"`. Values are deeply
   * read-only: assign a new one.
   * @param initial what a new session has. @throws TypeError when it is not JSON
   */
  register<X>(initial: X): FieldOf<"register", X>;
  /**
   * As above; what is written is checked by the schema, and what the schema returns is stored. The schema
   * must answer at once: it may not be asynchronous. @throws TypeError when `initial` is not JSON or does not
   * fit the schema
   */
  register<X>(schema: SchemaOf<X>, initial: NoInfer<X>): FieldOf<"register", X>;
}

/** Options of a log. */
export interface LogOptions {
  /** How many of its newest places it keeps, at least 1; older entries go as others come. Default all. */
  readonly keep?: number;
}

interface LogMaker {
  /**
   * JSON values that are appended, and read from both ends; a turn writes what it appends, not the whole.
   * @throws TypeError or RangeError for a wrong option
   */
  log<X>(options?: LogOptions): FieldOf<"log", X>;
  /** As above; what is appended is checked by the schema, as in `register`. @throws as above */
  log<X>(schema: SchemaOf<X>, options?: LogOptions): FieldOf<"log", X>;
}

interface SetMaker {
  /**
   * Strings, numbers, booleans and null, each at most once. With a schema, values are checked before they are
   * added, as in `register`.
   */
  set<X extends Scalar>(schema?: SchemaOf<X>): FieldOf<"set", X>;
}
// Mapped over `Pick`, so that each maker has the documentation of its kind's handle.
type ValueMakers = {
  readonly [K in keyof Pick<Handles<never>, Exclude<ValueKind, "register" | "log" | "set">>]: <X>(
    schema?: SchemaOf<X>,
  ) => FieldOf<K, X>;
};
type OwnMakers = {
  readonly [K in keyof Pick<Handles<never>, Exclude<FieldKind, ValueKind>>]: () => Field<K, never>;
};

/**
 * The fields of a state: one function for each kind. Together the values of a session take at most 32 MiB:
 * a turn that would make them larger is undone, and fails with `too_large`.
 */
export const s: RegisterMaker & LogMaker & SetMaker & ValueMakers & OwnMakers = makers();

function makers() {
  const others = fieldKindNames.map((kind) => [
    kind,
    (...args: StandardSchemaV1[]) => {
      const { holdsValues } = fieldKinds[kind];
      const most = holdsValues ? 1 : 0;
      if (args.length > most)
        throw new TypeError(
          `s.${kind} takes ${holdsValues ? "at most a schema" : "nothing"}, not ${args.length} values: a session begins without any`,
        );
      return field(kind, partsOf(kind, args[0]));
    },
  ]);
  return new Proxy({ ...Object.fromEntries(others), register, log }, { get: makerOf });
}

/** A slip such as `s.conter()` would be told as "is not a function", without a word of what there is. */
function makerOf(known: object, name: string | symbol): unknown {
  const maker: unknown = Reflect.get(known, name);
  if (maker !== undefined || typeof name === "symbol" || isReservedName(name)) return maker;
  throw new TypeError(
    `s.${name} is no kind of field${didYouMean(name, fieldKindNames)}; there are ${fieldKindNames.join(", ")}`,
  );
}

function register<X>(...args: [initial: X] | [schema: SchemaOf<X>, initial: X]): Field<"register", X> {
  if (args.length < 1)
    throw new TypeError(
      's.register needs the value that a new session has: s.register("") or s.register(null)',
    );
  if (args.length === 1) {
    if (isSchema(args[0]))
      throw new TypeError(
        "s.register with a schema needs the value that a new session has too: s.register(schema, initial)",
      );
    return field("register", { initial: initialValue(args[0]) });
  }
  const validate = validator("s.register", args[0]);
  const validation = validate(args[1], "s.register", "value");
  if (!validation.ok)
    throw new TypeError(`the initial value of s.register does not fit its schema: ${validation.problem}`);
  return field("register", { initial: initialValue(validation.value), validate });
}

const logOptions: ReadonlySet<string> = new Set(["keep"]);

function log<X>(...args: [LogOptions?] | [SchemaOf<X>, LogOptions?]): Field<"log", X> {
  const [schema, options = {}] = isSchema(args[0]) ? [args[0], args[1]] : [undefined, args[0]];
  if (args.length > (schema === undefined ? 1 : 2))
    throw new TypeError(`s.log takes at most a schema and options, not ${args.length} values`);
  refuseUnknown("s.log: option", options, logOptions);
  if (options.keep !== undefined) whole("s.log: keep", options.keep, 1, Number.MAX_SAFE_INTEGER);
  return field("log", { ...partsOf("log", schema), ...options });
}

function partsOf(kind: string, schema: StandardSchemaV1 | undefined): FieldParts {
  return schema === undefined ? {} : { validate: validator(`s.${kind}`, schema) };
}

function field<K extends FieldKind, V>(kind: K, parts: FieldParts): Field<K, V> {
  return Object.freeze({ kind, [fieldKey]: Object.freeze(parts) });
}

function initialValue(value: unknown): Json {
  const problem = jsonProblem(value);
  if (problem !== undefined) throw new TypeError(`the initial value of s.register is not JSON: ${problem}`);
  return freeze(structuredClone(value as Json));
}

function freeze(value: Json): Json {
  if (typeof value === "object" && value !== null) for (const item of Object.values(value)) freeze(item);
  return Object.freeze(value);
}

/** Schemas are objects or, in some libraries, functions. */
const isSchema = <X>(value: unknown): value is SchemaOf<X> =>
  ((typeof value === "object" && value !== null) || typeof value === "function") && "~standard" in value;

/** @throws TypeError when it is not a schema */
export function standardOf(what: string, schema: StandardSchemaV1): StandardSchemaV1["~standard"] {
  const standard = (schema as Partial<StandardSchemaV1> | null | undefined)?.["~standard"];
  if (typeof standard?.validate !== "function")
    throw new TypeError(`${what} takes a Standard Schema (valibot, zod, arktype, ...)`);
  return standard;
}

function validator(what: string, schema: StandardSchemaV1): Validate {
  const standard = standardOf(`the first argument of ${what}`, schema);
  return (value, owner, path) => {
    const answer = ofSchema(owner, () => standard.validate(value));
    if (isThenable(answer))
      throw new BrokenSchemaError(
        `${owner}: the schema is asynchronous; a field's schema must answer at once`,
      );
    return ofSchema(owner, () => {
      const result = resultOf(owner, answer);
      if (result.issues === undefined) return { ok: true, value: result.value };
      return { ok: false, problem: describeIssues(result.issues, path).told };
    });
  };
}

/** One field with its name and without its types. */
export interface NamedField extends FieldParts {
  readonly name: string;
  readonly kind: FieldKind;
}

/** The fields of a schema in their order. @throws TypeError for a bad name or what is not a field */
export function fieldsOf(agent: string, schema: unknown): NamedField[] {
  if (typeof schema !== "object" || schema === null)
    throw new TypeError(
      `agent ${agent}: the state schema must be an object of fields, { count: s.counter() }`,
    );
  return Object.entries(schema).map(([name, value]: [string, unknown]) => {
    const problem = nameProblem(name) ?? reservedProblem(name);
    if (problem !== undefined) throw new TypeError(`agent ${agent}: field ${problem}`);
    if (!isField(value))
      throw new TypeError(`agent ${agent}: field ${name} is not made by s.${fieldKindNames.join(", s.")}`);
    return { name, kind: value.kind, ...value[fieldKey] };
  });
}

function isField(value: unknown): value is Field<FieldKind, unknown> {
  return typeof value === "object" && value !== null && fieldKey in value;
}

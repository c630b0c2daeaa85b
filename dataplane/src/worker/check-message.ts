// What has no JSON form though it has a binary one: paths of a FieldMask, times and durations out of their
// range, a Value without a kind. Whether a turn commits must not depend on how its caller reads the answer,
// so both forms are checked for every caller.
import { type DescField, type DescMessage, type Message, toJson } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";

/**
 * Types with rules of their own in JSON. An Any is not among them: of a type that nobody here knows it is
 * passed on as bytes.
 */
const ruled: ReadonlySet<string> = new Set(
  ["FieldMask", "Timestamp", "Duration", "Struct", "ListValue", "Value"].map(
    (name) => `google.protobuf.${name}`,
  ),
);

/** Fields below which there may be such a type; most messages have none, and cost one lookup. */
const watched = new Map<DescMessage, readonly DescField[]>();

/** @throws Error that says what has no JSON form */
export function checkJsonForm(desc: DescMessage, message: Message): void {
  if (ruled.has(desc.typeName)) toJson(desc, message);
  else if (watchedFields(desc).length > 0) checkFields(reflect(desc, message));
}

function checkFields(message: ReflectMessage): void {
  for (const field of watchedFields(message.desc)) {
    if (!message.isSet(field)) continue;
    if (field.fieldKind === "message") checkOne(message.get(field));
    else if (field.fieldKind === "list" && field.listKind === "message")
      for (const item of message.get(field)) checkOne(item);
    else if (field.fieldKind === "map" && field.mapKind === "message")
      for (const item of message.get(field).values()) checkOne(item);
  }
}

function checkOne(value: unknown): void {
  const { desc, message } = value as ReflectMessage;
  if (ruled.has(desc.typeName)) toJson(desc, message);
  else checkFields(value as ReflectMessage);
}

function watchedFields(desc: DescMessage): readonly DescField[] {
  const known = watched.get(desc);
  if (known !== undefined) return known;
  const fields = desc.fields.filter(
    ({ message }) => message !== undefined && reachesRuled(message, new Set()),
  );
  watched.set(desc, fields);
  return fields;
}

function reachesRuled(desc: DescMessage, seen: Set<DescMessage>): boolean {
  if (ruled.has(desc.typeName)) return true;
  if (seen.has(desc)) return false;
  seen.add(desc);
  return desc.fields.some(({ message }) => message !== undefined && reachesRuled(message, seen));
}

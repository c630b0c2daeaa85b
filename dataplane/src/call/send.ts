// What a turn sends to other sessions: it leaves with the turn's record, and nobody waits for what becomes
// of it.
import { ByteReader, ByteWriter } from "@voda/stdx";

/** To a session of the sender's namespace; the input is JSON, or empty. */
export interface Send {
  readonly agent: string;
  readonly key: string;
  readonly method: string;
  readonly body: Uint8Array;
}

/** Messages of one turn. */
export const turnSendsMax = 1_024;
/** Messages of one session that are not delivered yet: what they take is in each of its folds. */
export const outboxMessagesMax = 16_384;
/** Bytes of them. */
export const outboxBytesMax = 2 * 1024 * 1024;

/** Of a turn that sends nothing. */
export const noSends: readonly Send[] = [];

/** What one takes beside its body, roughly: three names and a place in the books. */
const headBytes = 128;

/** What it counts against the bounds: the same wherever it is counted. */
export const sendBytes = ({ key, body }: Pick<Send, "key" | "body">): number =>
  headBytes + key.length + body.length;

export const bytesOfSends = (sends: readonly Send[]): number =>
  sends.reduce((sum, send) => sum + sendBytes(send), 0);

/** As frames and records have it. */
export function writeSend(out: ByteWriter, { agent, key, method, body }: Send): void {
  out.text(agent);
  out.text(key);
  out.text(method);
  out.block(body);
}

/** The body is a view. @throws DecodeError */
export const readSend = (input: ByteReader): Send => ({
  agent: input.text(),
  key: input.text(),
  method: input.text(),
  body: input.block(),
});

export function encodeSends(sends: readonly Send[]): Uint8Array {
  const out = new ByteWriter(256);
  out.varint(sends.length);
  for (const send of sends) writeSend(out, send);
  return out.finish();
}

/** Bodies are views. @throws DecodeError */
export function decodeSends(bytes: Uint8Array): Send[] {
  const input = new ByteReader(bytes);
  const sends = Array.from({ length: input.count(4) }, () => readSend(input));
  input.end();
  return sends;
}

// Steps of a turn: effects outside of the session, whose results its journal keeps (docs/effects.md). What a
// worker and a lane say to each other of them.
import { ByteReader, ByteWriter } from "@voda/stdx";
import type { Failure } from "./answer.ts";

/** Steps of one turn: each costs a record. */
export const turnStepsMax = 256;
/** Bytes of the result of one step, as JSON. */
export const stepBytesMax = 128 * 1024;
/** Times that a turn asks the clock and still may do a step: its journal holds each. */
export const turnTimesMax = 4_096;
/** Bytes of the journal of one turn. */
export const turnJournalBytesMax = 256 * 1024;
/** Bytes of all journals of a session: each of its folds holds them. */
export const journalBytesMax = 512 * 1024;

/** A turn is about to do something outside: answered under `step`, a number of its activation. */
export interface StepMessage {
  readonly type: "step";
  readonly activation: number;
  /** The call whose handler wants it. */
  readonly by: number;
  readonly step: number;
  /** Told apart by it, within the turn. */
  readonly name: string;
  /** 16 bytes over method and input of the call, if it has an id: a journal is not of another one. */
  readonly canonicalHash: Uint8Array | undefined;
}

/** It is done: answered under the same `step` once the result is in the journal. */
export interface StepDoneMessage {
  readonly type: "step_done";
  readonly activation: number;
  readonly step: number;
  /** JSON, or empty. */
  readonly result: Uint8Array;
  readonly drawn: Drawn;
}

/** What a turn took of chance and of the clock, between one step and the next. */
export interface Drawn {
  /** 16 bytes: all of chance follows from it, and it is the same for all steps of a turn. */
  readonly seed: Uint8Array;
  /** What the clock showed, each time that it was asked. */
  readonly times: readonly number[];
}

/** The same of a turn that ran before, by its steps. */
export interface Recalled {
  readonly seed: Uint8Array;
  readonly times: readonly (readonly number[])[];
}

/**
 * begin: nobody has done it, as far as the journal says; the key is the same whenever it may be done again.
 * result: it is in the journal. refused: nothing is done, and the handler hears why. ended: it may have been
 * done when the call ran before, and only its caller can have it done again: the turn ends, whatever its
 * handler makes of it.
 */
export type StepAnswer =
  | { readonly type: "begin"; readonly idempotencyKey: Uint8Array }
  | { readonly type: "result"; readonly result: Uint8Array }
  | { readonly type: "refused"; readonly failure: Failure }
  | { readonly type: "ended"; readonly failure: Failure };

export const seedBytes = 16;

export function writeDrawn(out: ByteWriter, { seed, times }: Drawn): void {
  out.raw(seed);
  out.varint(times.length);
  for (const time of times) out.varint(time);
}

/** The seed is a view. @throws DecodeError */
export const readDrawn = (input: ByteReader): Drawn => ({
  seed: input.raw(seedBytes),
  times: Array.from({ length: input.count(1) }, () => input.varint()),
});

export function encodeDrawn(drawn: Drawn): Uint8Array {
  const out = new ByteWriter(64);
  writeDrawn(out, drawn);
  return out.finish();
}

/** @throws DecodeError */
export function decodeDrawn(bytes: Uint8Array): Drawn {
  const input = new ByteReader(bytes);
  const drawn = readDrawn(input);
  input.end();
  return drawn;
}

export function encodeRecalled({ seed, times }: Recalled): Uint8Array {
  const out = new ByteWriter(64);
  out.varint(times.length);
  for (const some of times) writeDrawn(out, { seed, times: some });
  return out.finish();
}

/** At least one step has been. @throws DecodeError */
export function decodeRecalled(bytes: Uint8Array): Recalled {
  const input = new ByteReader(bytes);
  const drawn = Array.from({ length: input.count(seedBytes) }, () => readDrawn(input));
  input.end();
  return { seed: drawn[0]?.seed ?? new Uint8Array(seedBytes), times: drawn.map(({ times }) => times) };
}

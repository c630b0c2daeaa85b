import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesEqual, prng } from "@voda/stdx";
import * as fc from "fast-check";
import {
  FrameCursor,
  FrameError,
  type FrameFields,
  type FrameMemory,
  frameLength,
  frameMemory,
  writeFrame,
} from "./frame.ts";

const number = fc.maxSafeNat();
const fields: fc.Arbitrary<FrameFields> = fc.record(
  {
    kind: fc.integer({ min: 0, max: 255 }),
    flags: fc.integer({ min: 0, max: 255 }),
    code: fc.integer({ min: 0, max: 65535 }),
    processId: fc.integer({ min: 0, max: 0xffffffff }),
    call: number,
    activation: number,
    turn: number,
    remainingMs: fc.double({ noNaN: true, noDefaultInfinity: true }),
    life: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    subject: fc.uint8Array({ maxLength: 300, size: "max" }),
    meta: fc.uint8Array({ maxLength: 100, size: "max" }),
    payload: fc.uint8Array({ maxLength: 2000, size: "max" }),
  },
  { noNullPrototype: true },
);

function fieldsOf(frame: FrameCursor): FrameFields {
  const { kind, flags, code, processId, call, activation, turn, remainingMs } = frame;
  const copies = {
    life: frame.life(),
    subject: frame.subject(),
    meta: frame.meta(),
    payload: frame.payload(),
  };
  const vectors = Object.entries(copies).map(([name, view]) => [name, new Uint8Array(view)] as const);
  return {
    kind,
    flags,
    code,
    processId,
    call,
    activation,
    turn,
    remainingMs,
    ...(Object.fromEntries(vectors) as typeof copies),
  };
}

/** A frame at `at` of dirty memory. */
function written(content: FrameFields, at: number, spare: number): { memory: FrameMemory; length: number } {
  const length = frameLength(content.subject.length, content.meta.length, content.payload.length);
  const memory = frameMemory(new Uint8Array(at + length + spare).fill(0xa5));
  assert.equal(writeFrame(memory, at, content), length);
  return { memory, length };
}

test("a frame reads back as it was written, at any place, and one cursor reads many", () => {
  const cursor = new FrameCursor();
  fc.assert(
    fc.property(fields, fc.nat(40), (content, at) => {
      const { memory, length } = written(content, at, 9);
      cursor.open(memory, at, length);
      assert.deepEqual(fieldsOf(cursor), content);
    }),
  );
});

test("writing touches no byte outside the frame, and equal contents give equal bytes in dirty memory", () => {
  fc.assert(
    fc.property(fields, fc.nat(40), (content, at) => {
      const { memory, length } = written(content, at, 16);
      const clean = frameMemory(new Uint8Array(length));
      writeFrame(clean, 0, content);
      assert.ok(bytesEqual(memory.bytes.subarray(at, at + length), clean.bytes));
      const around = [...memory.bytes.subarray(0, at), ...memory.bytes.subarray(at + length)];
      assert.ok(around.every((byte) => byte === 0xa5));
    }),
  );
});

test("the payload of a frame at a multiple of 8 lies at a multiple of 8", () => {
  const cursor = new FrameCursor();
  fc.assert(
    fc.property(fields, (content) => {
      const { memory, length } = written(content, 64, 0);
      cursor.open(memory, 64, length);
      assert.equal(cursor.payloadAt % 8, 0);
    }),
  );
});

test("100,000 mutated frames are refused with FrameError or stay inside their bounds", () => {
  const seed = Number(process.env["SEED"] ?? Date.now() % 1e9);
  const chance = prng(seed);
  const some = (length: number): Uint8Array => Uint8Array.from({ length }, () => chance.below(256));
  const cursor = new FrameCursor();
  let accepted = 0;
  for (let round = 0; round < 100_000; round += 1) {
    const content = {
      kind: 1,
      flags: 0,
      code: 0,
      processId: 1,
      call: round,
      activation: 1,
      turn: 1,
      remainingMs: 1e4,
      life: some(16),
    };
    const vectors = {
      subject: some(chance.below(24)),
      meta: some(chance.below(12)),
      payload: some(chance.below(40)),
    };
    const { memory, length } = written({ ...content, ...vectors }, 8, 200);
    const claimed = chance.chance(0.2) ? chance.below(memory.bytes.length + 8) : length;
    for (let i = 1 + chance.below(3); i > 0; i -= 1) mutate(memory, 8, length, chance);
    try {
      cursor.open(memory, 8, claimed);
    } catch (error) {
      assert.ok(error instanceof FrameError, `seed ${seed} round ${round}: ${String(error)}`);
      continue;
    }
    accepted += 1;
    const ends = [
      cursor.subjectAt + cursor.subjectLength,
      cursor.metaAt + cursor.metaLength,
      cursor.payloadAt + cursor.payloadLength,
    ];
    assert.ok(
      Math.min(cursor.subjectAt, cursor.metaAt, cursor.payloadAt) >= 8,
      `seed ${seed} round ${round}`,
    );
    assert.ok(Math.max(...ends) <= 8 + claimed, `seed ${seed} round ${round}`);
    const again = frameMemory(new Uint8Array(claimed));
    writeFrame(again, 0, fieldsOf(cursor));
    assert.ok(
      bytesEqual(again.bytes, memory.bytes.subarray(8, 8 + claimed)),
      `seed ${seed} round ${round}: not canonical`,
    );
  }
  assert.ok(accepted > 1000, `only ${accepted} mutations left a frame valid: the mutations are too coarse`);
});

function mutate(
  { bytes, view }: FrameMemory,
  at: number,
  length: number,
  chance: ReturnType<typeof prng>,
): void {
  const words = [0, 8, 20, 80, 84, 88, 92, length - 8, length - 4];
  if (chance.chance(0.5)) {
    const place = at + chance.below(length);
    bytes[place] = (bytes[place] ?? 0) ^ (1 << chance.below(8));
  } else
    view.setUint32(
      at + chance.pick(words),
      chance.pick([0, 1, 4, 200, 0x7fffffff, 0xffffffff, length, chance.below(400)]),
      true,
    );
}

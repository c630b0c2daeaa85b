import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { busFrameBytesMax } from "@voda/proto/wire";
import { type Prng, prng } from "@voda/stdx";
import { writeRecord } from "../../test/write-record.ts";
import { drainRecordsMax, RingReader } from "./reader.ts";
import {
  committedIndex,
  createRing,
  headIndex,
  openRing,
  type RingError,
  readerSleepsIndex,
  ringBytes,
  ringBytesMax,
  ringBytesMin,
  ringRecordBytesMax,
  tailIndex,
  wake,
} from "./ring.ts";
import { RingWriter } from "./writer.ts";

/** A ring whose two ends live in this thread. */
function pair(bytes: number, onRecord: (record: Uint8Array) => void, start = 0) {
  const shared = createRing(bytes);
  const { control } = openRing(shared);
  Atomics.store(control, headIndex, start);
  Atomics.store(control, tailIndex, start);
  const { port1, port2 } = new MessageChannel();
  const broken = Promise.withResolvers<RingError>();
  const writer = new RingWriter(shared, port1, broken.resolve);
  const open = (): RingReader =>
    new RingReader(shared, port2, {
      onRecord: ({ bytes: memory }, at, length) => onRecord(new Uint8Array(memory.subarray(at, at + length))),
      onBroken: (error) => broken.resolve(error),
    });
  const close = (reader?: RingReader): void => {
    reader?.close();
    writer.close();
    port1.close();
  };
  return { shared, control, writer, open, close, broken: broken.promise };
}

/** What a broken ring never shows is missed soon; these pass within milliseconds. */
const soon = { timeout: 3_000 };

function fill(bytes: Uint8Array, at: number, length: number, seed: number): void {
  for (let i = 0; i < length; i += 1) bytes[at + i] = (seed + i * 31) & 255;
}

test("the default ring holds a frame of the greatest size at every position", () => {
  assert.ok(ringRecordBytesMax(ringBytes) >= busFrameBytesMax);
});

test("a ring whose size is no power of two, too small or too large is refused", () => {
  for (const bytes of [0, 512, 1025, 3000, 2 ** 29, Number.NaN])
    assert.throws(() => createRing(bytes), RangeError);
  for (const bytes of [ringBytesMin, ringBytesMax]) assert.equal(openRing(createRing(bytes)).capacity, bytes);
});

test("records come out in order when head and tail pass 2^31 and 2^32", soon, async () => {
  for (const start of [0x7fffff00 | 0, -256]) {
    const seen: number[] = [];
    const done = Promise.withResolvers<void>();
    const ring = pair(
      1024,
      (record) => {
        seen.push(record[0] ?? -1);
        if (seen.length === 200) done.resolve();
      },
      start,
    );
    const reader = ring.open();
    let next = 0;
    const send = (): void => {
      for (; next < 200; next += 1)
        if (!writeRecord(ring.writer, new Uint8Array(1 + (next % 90)).fill(next)))
          return ring.writer.onSpace(91, send);
    };
    send();
    await done.promise;
    assert.deepEqual(seen, [...Array(200).keys()]);
    ring.close(reader);
  }
});

test("a full ring says false, and tells its writer when the record fits", soon, async () => {
  const seen: Uint8Array[] = [];
  const ring = pair(1024, (record) => seen.push(record));
  const record = new Uint8Array(200).fill(7);
  for (let i = 0; i < 5; i += 1) assert.equal(writeRecord(ring.writer, record), i < 4);
  const told = Promise.withResolvers<void>();
  ring.writer.onSpace(200, told.resolve);
  const reader = ring.open();
  await told.promise;
  assert.equal(writeRecord(ring.writer, record), true);
  ring.close(reader);
});

test("a ring is filled to its last byte", soon, async () => {
  let read = 0;
  const ring = pair(1024, () => (read += 1));
  for (let i = 0; i < 5; i += 1) assert.equal(writeRecord(ring.writer, new Uint8Array(248)), i < 4);
  const reader = ring.open();
  reader.takeRest();
  assert.equal(read, 4);
  ring.close(reader);
});

test("of a writer that never stops no more is read at once than a ring and a drain", () => {
  let read = 0;
  const one = new Uint8Array(248);
  const ring = pair(1024, () => {
    read += 1;
    if (read < 10_000) writeRecord(ring.writer, one);
  });
  writeRecord(ring.writer, one);
  const reader = ring.open();
  reader.takeRest();
  assert.ok(read <= 4 + drainRecordsMax, `${read} records of 256 bytes`);
  ring.close(reader);
});

test("room is used to its last byte as soon as it is read", soon, async () => {
  const ring = pair(1024, () => undefined);
  const reader = ring.open();
  const half = new Uint8Array(504);
  assert.equal(writeRecord(ring.writer, half), true);
  reader.takeRest();
  assert.deepEqual(
    [half, half, half].map((record) => writeRecord(ring.writer, record)),
    [true, true, false],
  );
  ring.close(reader);
});

test("a reader that its listener closes reads no further record", () => {
  const seen: (number | undefined)[] = [];
  const ring = pair(1024, ([first]) => {
    seen.push(first);
    reader.close();
  });
  const reader = ring.open();
  for (const value of [1, 2]) writeRecord(ring.writer, Uint8Array.of(value));
  reader.takeRest();
  assert.deepEqual(seen, [1]);
  ring.close(reader);
});

test("a writer that is closed shows nothing more, and tells nobody of room", soon, async () => {
  const ring = pair(1024, () => undefined);
  ring.writer.onSpace(8, () => assert.fail("told after the end"));
  ring.writer.close();
  writeRecord(ring.writer, new Uint8Array(8));
  ring.writer.publish();
  await new Promise(setImmediate);
  assert.equal(Atomics.load(ring.control, headIndex), 0);
  ring.close();
});

test("a record of recordBytesMax passes an empty ring at any position, no larger one", soon, async () => {
  let got = 0;
  const done = Promise.withResolvers<void>();
  const ring = pair(1024, () => (++got === 50 ? done.resolve() : undefined));
  assert.throws(() => ring.writer.reserve(505), /exceeds recordBytesMax 504/);
  const reader = ring.open();
  let sent = 0;
  const send = (): void => {
    const length = sent % 2 === 0 ? 504 : 24;
    if (!writeRecord(ring.writer, new Uint8Array(length))) return ring.writer.onSpace(length, send);
    sent += 1;
    if (sent < 50) send();
  };
  send();
  await done.promise;
  ring.close(reader);
});

test("a reservation may be committed shorter, and not longer", soon, async () => {
  const seen = Promise.withResolvers<Uint8Array>();
  const ring = pair(1024, seen.resolve);
  const at = ring.writer.reserve(100);
  assert.ok(at !== false);
  assert.throws(() => ring.writer.commit(at, 200), /without a reservation/);
  fill(ring.writer.memory.bytes, at, 3, 1);
  ring.writer.commit(at, 3);
  assert.throws(() => ring.writer.commit(at, 3), /without a reservation/);
  const reader = ring.open();
  assert.deepEqual([...(await seen.promise)], [1, 32, 63]);
  ring.close(reader);
});

test("a record is not seen before publish", () => {
  const ring = pair(1024, () => undefined);
  writeRecord(ring.writer, new Uint8Array(8));
  assert.equal(Atomics.load(ring.control, headIndex), 0);
  ring.writer.publish();
  assert.equal(Atomics.load(ring.control, headIndex), 16);
  ring.close();
});

test("a reader refuses what a broken writer leaves, and touches nothing outside the ring", soon, async () => {
  const breaks: ((words: Int32Array, control: Int32Array) => void)[] = [
    (words) => words.set([0x7fffffff], 0),
    (words) => words.set([600], 0),
    (words) => words.set([100], 0),
    (words) => words.set([0], 1),
    (_, control) => control.set([-16], headIndex),
    (_, control) => control.set([4096], headIndex),
    (_, control) => control.set([17], headIndex),
  ];
  for (const [which, damage] of breaks.entries()) {
    const ring = pair(1024, () => assert.fail(`break ${which} was read`));
    writeRecord(ring.writer, new Uint8Array(20));
    ring.writer.publish();
    damage(new Int32Array(ring.shared, 256), ring.control);
    const reader = ring.open();
    assert.equal((await ring.broken).name, "RingError", `break ${which}`);
    ring.close(reader);
  }
});

test("the bell of a side that sleeps rings once, and not before it sleeps", () => {
  const { control } = openRing(createRing(1024));
  let rings = 0;
  const bell = { postMessage: () => void (rings += 1), on: () => undefined, off: () => undefined };
  wake(control, readerSleepsIndex, bell);
  assert.equal(rings, 0);
  Atomics.store(control, readerSleepsIndex, 1);
  wake(control, readerSleepsIndex, bell);
  wake(control, readerSleepsIndex, bell);
  assert.deepEqual([rings, Atomics.load(control, readerSleepsIndex)], [1, 0]);
});

test("a reader with nothing to read sleeps", soon, async () => {
  const ring = pair(1024, () => undefined);
  const reader = ring.open();
  for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
  assert.equal(Atomics.load(ring.control, readerSleepsIndex), 1);
  ring.close(reader);
});

test("what a listener throws is its own, and the next record comes", () => {
  const bell = new EventEmitter();
  const ends = { postMessage: () => undefined, on: bell.on.bind(bell), off: bell.off.bind(bell) };
  const shared = createRing(1024);
  const writer = new RingWriter(shared, ends, assert.fail);
  const seen: (number | undefined)[] = [];
  const reader = new RingReader(shared, ends, {
    onRecord({ bytes }, at) {
      seen.push(bytes[at]);
      if (seen.length === 1) throw new TypeError("no such session");
    },
    onBroken: assert.fail,
  });
  writeRecord(writer, Uint8Array.of(1));
  writeRecord(writer, Uint8Array.of(2));
  writer.publish();
  assert.throws(() => bell.emit("message"), TypeError);
  bell.emit("message");
  assert.deepEqual(seen, [1, 2]);
  reader.close();
  writer.close();
});

test("a reader refuses a record that goes past the end of the ring", soon, async () => {
  const start = 1008;
  const ring = pair(1024, () => assert.fail("it was read"), start);
  writeRecord(ring.writer, new Uint8Array(8));
  ring.writer.publish();
  new Int32Array(ring.shared, 256)[start / 4] = 100;
  Atomics.store(ring.control, headIndex, start + 200);
  const reader = ring.open();
  assert.equal((await ring.broken).name, "RingError");
  ring.close(reader);
});

test("a writer tells of the tail of a broken reader, and writes no more", soon, async () => {
  const ahead = 1 << 20;
  const tooFarBehind = -2048;
  const withinRecord = 4;
  for (const tail of [ahead, tooFarBehind, withinRecord]) {
    const ring = pair(1024, () => undefined);
    for (let i = 0; i < 10; i += 1) assert.equal(writeRecord(ring.writer, new Uint8Array(100)), i < 9);
    ring.control[tailIndex] = tail;
    assert.equal(writeRecord(ring.writer, new Uint8Array(100)), false);
    assert.match((await ring.broken).message, /does not fit/, `tail ${tail}`);
    assert.equal(writeRecord(ring.writer, new Uint8Array(8)), false, "though there is room for it");
    ring.close();
  }
});

test("a writer that waits for room is told of a broken reader too", soon, async () => {
  const ring = pair(1024, () => undefined);
  while (writeRecord(ring.writer, new Uint8Array(100)));
  ring.control[tailIndex] = 4;
  ring.writer.onSpace(100, () => assert.fail("there is no room"));
  assert.match((await ring.broken).message, /does not fit/);
  ring.close();
});

test("whoever takes the rest of a broken ring is told, once, and nothing is thrown", soon, async () => {
  const ring = pair(1024, () => assert.fail("it was read"));
  const reader = ring.open();
  writeRecord(ring.writer, new Uint8Array(20));
  ring.control[committedIndex] = 36;
  reader.takeRest();
  assert.equal((await ring.broken).name, "RingError");
  reader.takeRest();
  ring.close(reader);
});

test("what is committed and not shown is read on demand, once, and the ring goes on", soon, async () => {
  for (const start of [0, -64]) {
    const seen: number[] = [];
    const third = Promise.withResolvers<void>();
    const ring = pair(
      1024,
      (record) => {
        seen.push(record[0] ?? -1);
        if (record[0] === 3) third.resolve();
      },
      start,
    );
    const reader = ring.open();
    writeRecord(ring.writer, Uint8Array.of(1));
    writeRecord(ring.writer, Uint8Array.of(2));
    assert.deepEqual(seen, []);
    reader.takeRest();
    reader.takeRest();
    assert.deepEqual(seen, [1, 2]);
    writeRecord(ring.writer, Uint8Array.of(3));
    await third.promise;
    assert.deepEqual(seen, [1, 2, 3]);
    ring.close(reader);
  }
});

test("a reader lets others run after drainRecordsMax records, or drainBytesMax bytes", soon, async () => {
  for (const [length, each] of [
    [8, 256],
    [2 ** 17 - 8, 8], // with its header
  ] as const) {
    let read = 0;
    const turns: number[] = [];
    const ring = pair(2 ** 22, () => (read += 1));
    for (let i = 0; i < 3 * each; i += 1)
      assert.equal(writeRecord(ring.writer, new Uint8Array(length)), true);
    ring.writer.publish();
    const reader = ring.open();
    for (let before = 0; before < 3 * each; before = read) {
      await new Promise(setImmediate);
      if (read > before) turns.push(read - before);
    }
    assert.deepEqual(turns, [each, each, each]);
    ring.close(reader);
  }
});

interface Echo {
  readonly writer: RingWriter;
  close(): Promise<void>;
}

/** A worker thread that sends everything back. */
function echo(bytes: number, onRecord: (bytes: Uint8Array, at: number, length: number) => void): Echo {
  const [here, back] = [createRing(bytes), createRing(bytes)];
  const [toWorker, fromWorker] = [new MessageChannel(), new MessageChannel()];
  const bells = { hereBell: toWorker.port2, backBell: fromWorker.port2 };
  const worker = new Worker(new URL("../../test/echo.worker.ts", import.meta.url), {
    workerData: { here, back, ...bells },
    transferList: [toWorker.port2, fromWorker.port2],
  });
  const writer = new RingWriter(here, toWorker.port1, assert.fail);
  const reader = new RingReader(back, fromWorker.port1, {
    onRecord: (memory, at, length) => onRecord(memory.bytes, at, length),
    onBroken: (error) => assert.fail(error),
  });
  const close = async (): Promise<void> => {
    reader.close();
    writer.close();
    worker.postMessage("close");
    const [code] = (await once(worker, "exit")) as [number];
    assert.equal(code, 0, "the worker's loop is empty once its ends are closed");
  };
  return { writer, close };
}

const sizeOf = (chance: Prng): number => (chance.chance(0.0005) ? chance.below(60_000) : chance.below(200));

test("250,000 records of mixed sizes cross two threads and come back in order and whole", {
  timeout: 60_000,
}, async () => {
  const seed = Number(process.env["SEED"] ?? Date.now() % 1e9);
  const total = 250_000;
  const [sizes, expected] = [prng(seed), prng(seed)];
  const done = Promise.withResolvers<void>();
  let received = 0;
  let fullTimes = 0;
  const peer = echo(256 * 1024, (bytes, at, length) => {
    const wanted = sizeOf(expected);
    if (length !== wanted)
      assert.fail(`seed ${seed}: record ${received} has ${length} bytes instead of ${wanted}`);
    for (let i = 0; i < length; i += 1) {
      if (bytes[at + i] !== ((received + i * 31) & 255))
        assert.fail(`seed ${seed}: byte ${i} of record ${received}`);
    }
    received += 1;
    if (received === total) done.resolve();
  });
  let sent = 0;
  let size = sizeOf(sizes);
  const send = (): void => {
    for (let budget = 2000; budget > 0 && sent < total; budget -= 1) {
      const at = peer.writer.reserve(size);
      if (at === false) {
        fullTimes += 1;
        return peer.writer.onSpace(size, send);
      }
      fill(peer.writer.memory.bytes, at, size, sent);
      peer.writer.commit(at, size);
      sent += 1;
      size = sizeOf(sizes);
    }
    if (sent < total) setImmediate(send);
  };
  send();
  await done.promise;
  assert.ok(fullTimes > 0, "the ring was never full: make it smaller");
  await peer.close();
});

test("a reader that is about to sleep is woken by a record that comes at that moment", {
  timeout: 60_000,
}, async () => {
  const chance = prng(Number(process.env["SEED"] ?? Date.now() % 1e9));
  let left = 0;
  let arrived = Promise.withResolvers<void>();
  const peer = echo(1024, () => {
    left -= 1;
    if (left === 0) arrived.resolve();
  });
  for (let i = 0; i < 5000; i += 1) {
    arrived = Promise.withResolvers<void>();
    left = 2;
    for (const spread of [0, 0.12]) {
      // the second record comes while the first one wakes the reader
      const until = performance.now() + chance.next() * spread;
      while (performance.now() < until);
      writeRecord(peer.writer, new Uint8Array(8));
      peer.writer.publish();
    }
    await arrived.promise;
  }
  await peer.close();
});

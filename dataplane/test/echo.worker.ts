// The other thread of the ring tests: sends every record back through a ring of its own, holding what does
// not fit.
import { parentPort, workerData } from "node:worker_threads";
import { RingReader } from "../src/ring/reader.ts";
import { RingWriter } from "../src/ring/writer.ts";
import { writeRecord } from "./write-record.ts";

interface Rings {
  readonly here: SharedArrayBuffer;
  readonly back: SharedArrayBuffer;
  readonly hereBell: MessagePort;
  readonly backBell: MessagePort;
}

const { here, back, hereBell, backBell } = workerData as Rings;
const held: Uint8Array[] = [];
const fail = (error: Error): never => {
  throw error;
};
const writer = new RingWriter(back, backBell, fail);

function flush(): void {
  for (let next = held[0]; next !== undefined; next = held[0]) {
    if (!writeRecord(writer, next)) return writer.onSpace(next.length, flush);
    held.shift();
  }
}

const reader = new RingReader(here, hereBell, {
  onRecord({ bytes }, at, length) {
    const record = bytes.subarray(at, at + length);
    if (held.length > 0 || !writeRecord(writer, record)) {
      held.push(new Uint8Array(record));
      if (held.length === 1) writer.onSpace(length, flush);
    }
  },
  onBroken: fail,
});

parentPort?.once("message", () => {
  reader.close();
  writer.close();
  hereBell.close();
  backBell.close();
});

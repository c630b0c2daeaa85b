import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { NatsConnection } from "@nats-io/transport-node";
import {
  type CommandResult,
  CommandResultSchema,
  CommandSchema,
  HeartbeatSchema,
  type Report,
  ReportSchema,
  ResyncSchema,
} from "@voda/proto/node";
import { type SessionName, sessionToken } from "@voda/proto/session";
import { commandSubject, heartbeatSubject, reportSubject, resyncSubject } from "@voda/proto/wire";
import { type Nats, startNats, waitUntil } from "@voda/test/kit";
import pino from "pino";
import { type Activated, openReports, type Reports, reportSessionsMax } from "./reports.ts";

let nats: Nats;
let connection: NatsConnection;
let reports: Reports;
let got: Report[];
let incarnation: string;
let owned: Activated[];
let onCommand: () => Promise<CommandResult>;

const nameOf = (i: number): SessionName => ({ namespace: "default", agent: "a", key: `k${i}` });
const tokenOf = (i: number) => sessionToken(nameOf(i));
const activated = (i: number, epoch: number): Activated => ({
  token: tokenOf(i),
  name: nameOf(i),
  epoch,
  devices: [{ uuid: "GPU-1", whole: false, milli: 500, memoryMib: 1 }],
});

before(async () => {
  nats = await startNats();
});
after(() => nats.stop());

describe("reports", () => {
  beforeEach(async (t) => {
    connection = await nats.connect();
    got = [];
    incarnation = "first";
    owned = [];
    onCommand = () => Promise.resolve(create(CommandResultSchema, { epoch: 7n }));
    connection.subscribe(reportSubject("n1"), {
      callback: (_, message) => void got.push(fromBinary(ReportSchema, message.data)),
    });
    reports = openReports({
      connection,
      node: "n1",
      incarnation: () => incarnation,
      log: pino({ level: "silent" }),
      owned: () => new Set(owned),
      onCommand: () => onCommand(),
    });
    await connection.flush();
    assert.ok("after" in t);
    t.after(async () => {
      await reports[Symbol.asyncDispose]();
      await connection.close();
    });
  });

  const received = (count: number): Promise<Report[]> =>
    waitUntil(() => got.length >= count && got, `${count} reports come`);

  test("changes of a moment are one report, and of each session the last one counts", async () => {
    reports.activated(activated(1, 3));
    reports.activated(activated(2, 1));
    reports.deactivated(tokenOf(2));
    const [report] = await received(1);
    assert.deepEqual(
      [report?.node, report?.incarnation, report?.sequence, report?.full, report?.deactivated],
      ["n1", "first", 1n, false, [tokenOf(2)]],
    );
    assert.deepEqual(
      report?.activated.map(({ key, epoch, devices }) => [
        key,
        epoch,
        devices.map(({ uuid, milli }) => [uuid, milli]),
      ]),
      [["k1", 3n, [["GPU-1", 500]]]],
    );
  });

  test("many changes are several reports in dense order", async () => {
    const count = reportSessionsMax + 1;
    for (let i = 0; i < count; i += 1) reports.activated(activated(i, 1));
    const parts = await received(2);
    assert.deepEqual(
      parts.map(({ sequence, activated: begun }) => [sequence, begun.length]),
      [
        [1n, reportSessionsMax],
        [2n, 1],
      ],
    );
  });

  test("a full report starts with a full part, makes waiting changes void, and is numbered anew in a new life", async () => {
    reports.activated(activated(1, 1));
    await received(1);
    owned = Array.from({ length: reportSessionsMax + 5 }, (_, i) => activated(i, 2));
    reports.deactivated(tokenOf(1));
    incarnation = "second";
    reports.full();
    const [, first, rest] = await received(3);
    assert.deepEqual(
      [first?.incarnation, first?.sequence, first?.full, first?.activated.length],
      ["second", 1n, true, 1000],
    );
    assert.deepEqual([rest?.sequence, rest?.full, rest?.activated.length], [2n, false, 5]);
    reports.activated(activated(9, 3));
    assert.deepEqual((await received(4))[3]?.deactivated, []);
  });

  test("a node without sessions says so in full", async () => {
    reports.full();
    const [report] = await received(1);
    assert.deepEqual([report?.full, report?.activated.length], [true, 0]);
  });

  test("a resync of this node or of all is answered in full, one of another node or that is none is not", async () => {
    const ask = (bytes: Uint8Array): void => connection.publish(resyncSubject, bytes);
    ask(toBinary(ResyncSchema, create(ResyncSchema, { node: "n2" })));
    ask(Uint8Array.of(0xff));
    ask(toBinary(ResyncSchema, create(ResyncSchema, { node: "n1" })));
    ask(toBinary(ResyncSchema, create(ResyncSchema)));
    await received(2);
    await connection.flush();
    assert.deepEqual(
      got.map(({ full }) => full),
      [true, true],
    );
  });

  test("a heartbeat says how many sessions there are and which report was the last", async () => {
    const beats: { sessions: number; reportSequence: bigint }[] = [];
    connection.subscribe(heartbeatSubject("n1"), {
      callback: (_, message) => void beats.push(fromBinary(HeartbeatSchema, message.data)),
    });
    owned = [1, 2, 3, 4, 5].map((i) => activated(i, 1));
    reports.full();
    const isTold = (): boolean =>
      beats.some(({ sessions, reportSequence }) => sessions === 5 && reportSequence === 1n);
    await waitUntil(isTold, "a heartbeat tells");
  });

  test("a command is answered, also when it fails or is none", async () => {
    const command = async (bytes: Uint8Array): Promise<CommandResult> =>
      fromBinary(CommandResultSchema, (await connection.request(commandSubject("n1"), bytes)).data);
    const whole = toBinary(CommandSchema, create(CommandSchema, nameOf(1)));
    assert.equal((await command(whole)).epoch, 7n);
    onCommand = () => Promise.reject(new Error("broken"));
    assert.equal((await command(whole)).code, "internal");
    assert.equal((await command(Uint8Array.of(0xff))).code, "internal");
  });

  test("what has changed is told before the end", async () => {
    reports.deactivated(tokenOf(1));
    await reports[Symbol.asyncDispose]();
    await connection.flush();
    assert.equal(got.length, 1);
  });
});

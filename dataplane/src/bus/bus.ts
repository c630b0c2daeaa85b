// Calls from node to node: all frames that one loop turn makes for one peer are one core NATS message.
import { defaultNamespace, sessionToken } from "@voda/proto/session";
import { busFrameBytesMax, framesSubject } from "@voda/proto/wire";
import { ByteReader, ByteWriter, SlotTable } from "@voda/stdx";
import { decodeAnswer, encodeAnswer } from "../answer.ts";
import { type Connection, rethrown } from "../commit/index.ts";
import {
  decodeInvocationMeta,
  encodeInvocationMeta,
  type FrameCursor,
  type FrameFields,
  frameLength,
  packToken,
  unpackToken,
} from "../frame/index.ts";
import { type Answer, fail, type Invocation } from "../invocation.ts";
import type { CallKind } from "../lane/index.ts";
import { decodeBatch, encodeBatch } from "./batch.ts";

/** Calls to one peer without an answer. */
export const peerCallsMax = 16_384;
/** Bytes of calls to one peer without an answer. */
export const peerBytesMax = 32 * 1024 * 1024;

export interface AnswerMeta {
  readonly hint?: string;
  readonly token?: string;
}

export type Outcome =
  | { readonly type: "answered"; readonly answer: Answer; readonly meta: AnswerMeta }
  /** It did not leave this node: it certainly did not run there. */
  | { readonly type: "undelivered" };

export type BusReply = (answer: Answer, meta: AnswerMeta) => void;

export interface BusOptions {
  readonly connection: Connection;
  /** Id of this node. */
  readonly node: string;
  /** A call from a peer; the reply comes exactly once. Returns the way to take the call back. */
  readonly onCall: (kind: CallKind, invocation: Invocation, reply: BusReply) => () => void;
  /** A message that is none of ours. */
  readonly onMalformed: (error: unknown) => void;
}

export interface Bus extends AsyncDisposable {
  /** `done` is called once, never inside this call. The returned function takes the call back; `done` is not called then. */
  call(peer: string, kind: CallKind, invocation: Invocation, done: (outcome: Outcome) => void): () => void;
  /** The peer's process is gone: its calls end with `unavailable`. */
  peerLost(peer: string): void;
}

const kinds = { invoke: 1, end: 2, wake: 3, answer: 4, cancel: 5 } as const;
const utf8 = new TextEncoder();
const NOTHING = new Uint8Array(0);
const NO_TOKEN = new Uint8Array(16);

interface Waiting {
  readonly peer: string;
  readonly bytes: number;
  readonly done: (outcome: Outcome) => void;
}

interface Peer {
  frames: FrameFields[];
  frameBytes: number;
  calls: number;
  bytes: number;
}

export function openBus(options: BusOptions): Bus {
  return new FrameBus(options);
}

class FrameBus implements Bus {
  readonly #options: BusOptions;
  readonly #waiting = new SlotTable<Waiting>(2 ** 24);
  readonly #peers = new Map<string, Peer>();
  /** Calls of peers that run here: how to take each back, by `peer/slot/generation`. */
  readonly #serving = new Map<string, () => void>();
  readonly #unsubscribe: () => void;
  #turn: NodeJS.Immediate | undefined;
  #closed = false;

  constructor(options: BusOptions) {
    this.#options = options;
    const subscription = options.connection.nats.subscribe(framesSubject(options.node, 0), {
      callback: rethrown((error, message) => {
        if (error === null) this.#receive(message.data);
      }),
    });
    this.#unsubscribe = () => subscription.unsubscribe();
  }

  call(name: string, kind: CallKind, invocation: Invocation, done: (outcome: Outcome) => void): () => void {
    const peer = this.#peer(name);
    const { subject, meta } = addressOf(invocation);
    const bytes = frameLength(subject.length, meta.length, invocation.body.length);
    if (peer.calls >= peerCallsMax || peer.bytes + bytes > peerBytesMax) return refuse(name, peer, done);
    const slot = this.#connected() ? this.#waiting.take({ peer: name, bytes, done }) : -1;
    if (slot < 0) {
      queueMicrotask(() => done({ type: "undelivered" }));
      return () => undefined;
    }
    peer.calls += 1;
    peer.bytes += bytes;
    const generation = this.#waiting.generation(slot);
    this.#send(name, {
      ...header(kinds[kind], slot, generation),
      deadlineMs: invocation.deadlineMs,
      token: packToken(invocation.token),
      subject,
      meta,
      payload: invocation.body,
    });
    return () => {
      if (this.#take(slot, generation) !== undefined) this.#send(name, header(kinds.cancel, slot, generation));
    };
  }

  peerLost(name: string): void {
    const answer = fail("not_owner", `node ${name} is gone; retry with the same idempotency key`);
    this.#waiting.forEach((waiting, slot, generation) => {
      if (waiting.peer === name) this.#finish(slot, generation, { type: "answered", answer, meta: {} });
    });
    this.#peers.delete(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#flush();
    this.#closed = true;
    this.#unsubscribe();
    const answer = fail("closed", "this node is closing; retry with the same idempotency key");
    this.#waiting.forEach((_, slot, generation) => this.#finish(slot, generation, { type: "answered", answer, meta: {} }));
  }

  #connected(): boolean {
    return !this.#closed && this.#options.connection.isUp();
  }

  #peer(name: string): Peer {
    let peer = this.#peers.get(name);
    if (peer === undefined) {
      peer = { frames: [], frameBytes: 0, calls: 0, bytes: 0 };
      this.#peers.set(name, peer);
    }
    return peer;
  }

  #send(name: string, fields: FrameFields): void {
    const peer = this.#peer(name);
    const bytes = frameLength(fields.subject.length, fields.meta.length, fields.payload.length);
    if (peer.frames.length > 0 && peer.frameBytes + bytes > busFrameBytesMax) this.#flushPeer(name, peer);
    peer.frames.push(fields);
    peer.frameBytes += bytes;
    this.#turn ??= setImmediate(() => this.#flush());
  }

  #flush(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    for (const [name, peer] of this.#peers) this.#flushPeer(name, peer);
  }

  // Frames that cannot be sent now are dropped: core NATS promises no delivery, deadlines and retries make up for it.
  #flushPeer(name: string, peer: Peer): void {
    if (peer.frames.length === 0) return;
    const frames = peer.frames;
    peer.frames = [];
    peer.frameBytes = 0;
    if (this.#connected()) this.#options.connection.nats.publish(framesSubject(name, 0), encodeBatch(this.#options.node, frames));
  }

  #receive(bytes: Uint8Array): void {
    if (this.#closed) return;
    try {
      decodeBatch(bytes, (sender, frame) => this.#handle(sender, frame));
    } catch (error) {
      this.#options.onMalformed(error);
    }
  }

  #handle(sender: string, frame: FrameCursor): void {
    const { call: slot, activation: generation } = frame;
    const id = `${sender}/${slot}/${generation}`;
    switch (frame.kind) {
      case kinds.answer: {
        const meta = readAnswerMeta(frame.meta());
        this.#finish(slot, generation, { type: "answered", answer: decodeAnswer(frame.payload().slice()), meta });
        return;
      }
      case kinds.cancel: {
        const cancel = this.#serving.get(id);
        this.#serving.delete(id);
        cancel?.();
        return;
      }
      case kinds.invoke:
        this.#serve(sender, id, "invoke", frame);
        return;
      case kinds.end:
        this.#serve(sender, id, "end", frame);
        return;
      case kinds.wake:
        this.#serve(sender, id, "wake", frame);
        return;
      default:
        throw new RangeError(`frame of kind ${frame.kind} is nothing between nodes`);
    }
  }

  #serve(sender: string, id: string, kind: CallKind, frame: FrameCursor): void {
    const { call: slot, activation: generation } = frame;
    const invocation = readInvocation(frame);
    let answered = false;
    const cancel = this.#options.onCall(kind, invocation, (answer, meta) => {
      answered = true;
      this.#serving.delete(id);
      const fields = { ...header(kinds.answer, slot, generation), meta: writeAnswerMeta(meta), payload: encodeAnswer(answer) };
      this.#send(sender, fields);
    });
    if (!answered) this.#serving.set(id, cancel);
  }

  #take(slot: number, generation: number): Waiting | undefined {
    const waiting = this.#waiting.release(slot, generation);
    if (waiting === undefined) return undefined;
    const peer = this.#peers.get(waiting.peer);
    if (peer !== undefined) {
      peer.calls -= 1;
      peer.bytes -= waiting.bytes;
    }
    return waiting;
  }

  #finish(slot: number, generation: number, outcome: Outcome): void {
    this.#take(slot, generation)?.done(outcome);
  }
}

function refuse(name: string, peer: Peer, done: (outcome: Outcome) => void): () => void {
  const message = `${peer.calls} calls with ${peer.bytes} bytes wait for node ${name}; bounds are peerCallsMax ${peerCallsMax} and peerBytesMax ${peerBytesMax}: retry later`;
  queueMicrotask(() => done({ type: "answered", answer: fail("queue_full", message, { retryAfterMs: 100 }), meta: {} }));
  return () => undefined;
}

function header(kind: number, call: number, activation: number): FrameFields {
  return {
    kind,
    call,
    activation,
    flags: 0,
    code: 0,
    turn: 0,
    deadlineMs: 0,
    token: NO_TOKEN,
    subject: NOTHING,
    meta: NOTHING,
    payload: NOTHING,
  };
}

/** Subject: namespace (empty: default), agent, key, method, each after its length. */
function addressOf(invocation: Invocation): { readonly subject: Uint8Array; readonly meta: Uint8Array } {
  const { namespace, agent, key } = invocation.name;
  const writer = new ByteWriter(64);
  writer.text(namespace === defaultNamespace ? "" : namespace);
  for (const text of [agent, key, invocation.method]) writer.text(text);
  return { subject: writer.finish(), meta: encodeInvocationMeta(invocation) };
}

function readInvocation(frame: FrameCursor): Invocation {
  const reader = new ByteReader(frame.subject());
  const name = { namespace: reader.text() || defaultNamespace, agent: reader.text(), key: reader.text() };
  const method = reader.text();
  reader.end();
  const token = unpackToken(frame.token());
  if (token !== sessionToken(name)) throw new RangeError(`frame for session ${token} names another one`);
  return {
    name,
    token,
    method,
    body: frame.payload().slice(),
    deadlineMs: frame.deadlineMs,
    ...decodeInvocationMeta(frame.meta()),
  };
}

function writeAnswerMeta(meta: AnswerMeta): Uint8Array {
  const [hint, token] = [utf8.encode(meta.hint ?? ""), utf8.encode(meta.token ?? "")];
  const writer = new ByteWriter(64);
  writer.block(hint);
  writer.block(token);
  return writer.finish();
}

function readAnswerMeta(bytes: Uint8Array): AnswerMeta {
  const reader = new ByteReader(bytes);
  const [hint, token] = [reader.text(), reader.text()];
  reader.end();
  return { ...(hint !== "" && { hint }), ...(token !== "" && { token }) };
}

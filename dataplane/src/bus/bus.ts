// Calls from node to node: all frames that one loop turn makes for one peer are one core NATS message.
import { randomInt } from "node:crypto";
import { createInbox } from "@nats-io/transport-node";
import { busFrameBytesMax, framesSubject } from "@voda/proto/wire";
import { DecodeError, SlotTable, systemClock } from "@voda/stdx";
import { decodeAnswer, encodeAnswer } from "../answer.ts";
import { type FrameCursor, FrameError, type FrameFields } from "../frame/index.ts";
import { type Answer, fail, type Invocation } from "../invocation.ts";
import type { CallKind } from "../lane/index.ts";
import { type Connection, rethrown } from "../nats/index.ts";
import { decodeBatch, encodeBatch, fieldsLength, type Sender } from "./batch.ts";
import {
  type AnswerMeta,
  bareFrame,
  type CallId,
  callFrame,
  callIdOf,
  callKindOf,
  decodeAnswerMeta,
  encodeAnswerMeta,
  frameKinds,
  readCall,
} from "./message.ts";

/** Calls to one peer without an answer. */
export const peerCallsMax = 16_384;
/** Bytes of the calls to one peer without an answer: the server cuts a client that is 64 MiB behind. */
export const peerBytesMax = 32 * 1024 * 1024;
const CALLS_MAX = 2 ** 20;
const SWEEP_MS = 100;
const NO_RESPONDERS = 503;

export type Outcome =
  | { readonly type: "answered"; readonly answer: Answer; readonly meta: AnswerMeta }
  /** It did not reach the peer: it certainly did not run there. */
  | { readonly type: "undelivered" }
  /** The peer or the connection is gone: nobody knows what became of it. */
  | { readonly type: "lost" };

export type BusReply = (answer: Answer, meta: AnswerMeta) => void;

export interface BusOptions {
  readonly connection: Connection;
  /** Id of this node. */
  readonly node: string;
  /** A call from a peer, to be replied to once. Returns the way to take the call back; its reply is not sent then. */
  readonly onCall: (kind: CallKind, invocation: Invocation, reply: BusReply) => () => void;
  /** Bytes that are not ours. */
  readonly onMalformed: (error: Error) => void;
}

export interface Bus extends AsyncDisposable {
  /**
   * `done` is called once, never inside this call, and by the invocation's deadline at the latest. The returned function takes the
   * call back; `done` is not called then.
   */
  call(peer: PeerName, kind: CallKind, invocation: Invocation, done: (outcome: Outcome) => void): () => void;
  /** Ends the calls to all peers of which `isGone` is true as `lost`. */
  peersLost(isGone: (incarnation: string) => boolean): void;
}

/** A life of a node. */
export interface PeerName {
  readonly node: string;
  readonly incarnation: string;
}

interface Waiting {
  readonly peer: PeerName;
  readonly bytes: number;
  readonly deadlineMs: number;
  readonly done: (outcome: Outcome) => void;
  /** Number of the message that carries it; 0 while it waits for the end of the turn. */
  message: number;
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
  readonly #self: Sender;
  readonly #waiting = new SlotTable<Waiting>(CALLS_MAX);
  readonly #peers = new Map<string, Peer>();
  /** Calls of peers that run here: how to take each back. */
  readonly #serving = new Map<string, () => void>();
  readonly #inbox = `${createInbox()}.`;
  readonly #stop: readonly (() => void)[];
  #messages = 0;
  #turnPlanned = false;
  #sweep: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: BusOptions) {
    this.#options = options;
    this.#self = { node: options.node, process: randomInt(2 ** 32) };
    const frames = options.connection.nats.subscribe(framesSubject(options.node, 0), {
      callback: rethrown((error, message) => {
        if (error === null) this.#receive(plain(message.data));
      }),
    });
    const refusals = options.connection.nats.subscribe(`${this.#inbox}*`, {
      callback: rethrown((error, message) => {
        if (error === null && message.headers?.code === NO_RESPONDERS)
          this.#nobody(Number(message.subject.slice(this.#inbox.length)));
      }),
    });
    // An answer that was on its way is lost with the connection, and nobody sends it again.
    const stopListening = options.connection.onEvent((event) => {
      if (event.type === "disconnected") this.#endAll({ type: "lost" });
    });
    this.#stop = [() => frames.unsubscribe(), () => refusals.unsubscribe(), stopListening];
  }

  call(to: PeerName, kind: CallKind, invocation: Invocation, done: (outcome: Outcome) => void): () => void {
    const name = to.node;
    const refused = this.#closed || !this.#options.connection.isUp();
    if (refused) return later(done, { type: "undelivered" });
    const peer = this.#peer(name);
    const bytes = fieldsLength(
      callFrame(frameKinds[kind], { slot: 0, generation: 0, process: 0 }, invocation),
    );
    if (peer.calls >= peerCallsMax || peer.bytes + bytes > peerBytesMax)
      return later(done, queueFull(name, peer));
    const slot = this.#waiting.take({ peer: to, bytes, deadlineMs: invocation.deadlineMs, done, message: 0 });
    if (slot < 0) return later(done, queueFull(name, peer));
    peer.calls += 1;
    peer.bytes += bytes;
    const id: CallId = { slot, generation: this.#waiting.generation(slot), process: this.#self.process };
    this.#send(name, callFrame(frameKinds[kind], id, invocation));
    this.#sweep ??= setTimeout(() => this.#expire(), SWEEP_MS);
    return () => {
      if (this.#take(id) !== undefined) this.#send(name, bareFrame(frameKinds.cancel, id));
    };
  }

  peersLost(isGone: (incarnation: string) => boolean): void {
    this.#endAll({ type: "lost" }, ({ peer }) => isGone(peer.incarnation));
    for (const [name, peer] of this.#peers)
      if (peer.calls === 0 && peer.frames.length === 0) this.#peers.delete(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    for (const stop of this.#stop) stop();
    this.#endAll(answered(fail("closed", "this node is closing; retry with the same idempotency key")));
    clearTimeout(this.#sweep);
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
    const bytes = fieldsLength(fields);
    if (peer.frames.length > 0 && peer.frameBytes + bytes > busFrameBytesMax) this.#flushPeer(name, peer);
    peer.frames.push(fields);
    peer.frameBytes += bytes;
    if (this.#turnPlanned) return;
    this.#turnPlanned = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#turnPlanned = false;
    for (const [name, peer] of this.#peers) this.#flushPeer(name, peer);
  }

  // Answers that cannot be sent are dropped: their callers have heard of the lost connection themselves.
  #flushPeer(name: string, peer: Peer): void {
    if (peer.frames.length === 0) return;
    const frames = peer.frames;
    peer.frames = [];
    peer.frameBytes = 0;
    if (this.#closed || !this.#options.connection.isUp()) return;
    this.#messages += 1;
    for (const frame of frames) {
      const waiting =
        frame.turn === this.#self.process ? this.#waiting.get(frame.call, frame.activation) : undefined;
      if (waiting !== undefined) waiting.message = this.#messages;
    }
    const reply = `${this.#inbox}${this.#messages}`; // only so that the server says when nobody listens
    this.#options.connection.nats.publish(framesSubject(name, 0), encodeBatch(this.#self, frames), { reply });
  }

  /** Nobody got this message: its calls did not run. Those that the peer got before have lost it. */
  #nobody(message: number): void {
    let gone: string | undefined;
    this.#waiting.forEach((waiting, slot, generation) => {
      if (waiting.message !== message) return;
      gone = waiting.peer.node;
      this.#finish({ slot, generation, process: this.#self.process }, { type: "undelivered" });
    });
    if (gone !== undefined)
      this.#endAll(
        { type: "lost" },
        ({ peer, message: sent }) => peer.node === gone && sent > 0 && sent < message,
      );
  }

  // Handlers run after the decoding, so that what they throw is not taken for a malformed message.
  #receive(bytes: Uint8Array): void {
    if (this.#closed) return;
    const deliveries: (() => void)[] = [];
    try {
      decodeBatch(bytes, (sender, frame) => deliveries.push(this.#read(sender, frame)));
    } catch (error) {
      if (!(error instanceof DecodeError || error instanceof FrameError)) throw error;
      this.#options.onMalformed(error);
    }
    for (const deliver of deliveries) deliver();
  }

  #read(sender: Sender, frame: FrameCursor): () => void {
    const id = callIdOf(frame);
    if (frame.kind === frameKinds.cancel) return () => this.#cancelled(servingKey(sender, id));
    if (frame.kind === frameKinds.answer) {
      const answer = decodeAnswer(frame.payload().slice());
      const meta = decodeAnswerMeta(frame.meta());
      return () => this.#finish(id, { type: "answered", answer, meta });
    }
    const kind = callKindOf(frame);
    if (kind === undefined) throw new FrameError(`a frame of kind ${frame.kind} is nothing between nodes`);
    const invocation = readCall(frame);
    return () => this.#serve(sender, id, kind, invocation);
  }

  #serve(sender: Sender, id: CallId, kind: CallKind, invocation: Invocation): void {
    const key = servingKey(sender, id);
    let open = true;
    const cancel = this.#options.onCall(kind, invocation, (answer, meta) => {
      if (!open) return; // taken back
      open = false;
      this.#serving.delete(key);
      if (this.#closed) return;
      this.#send(sender.node, {
        ...bareFrame(frameKinds.answer, id),
        meta: encodeAnswerMeta(meta),
        payload: encodeAnswer(answer),
      });
    });
    if (!open) return;
    this.#serving.set(key, () => {
      open = false;
      cancel();
    });
  }

  #cancelled(key: string): void {
    const cancel = this.#serving.get(key);
    this.#serving.delete(key);
    cancel?.();
  }

  #take(id: CallId): Waiting | undefined {
    // An answer to the process that had this node's id before is none of ours.
    const waiting =
      id.process === this.#self.process ? this.#waiting.release(id.slot, id.generation) : undefined;
    const peer = waiting === undefined ? undefined : this.#peers.get(waiting.peer.node);
    if (waiting !== undefined && peer !== undefined) {
      peer.calls -= 1;
      peer.bytes -= waiting.bytes;
    }
    return waiting;
  }

  #finish(id: CallId, outcome: Outcome): void {
    this.#take(id)?.done(outcome);
  }

  #endAll(outcome: Outcome, which: (waiting: Waiting) => boolean = () => true): void {
    const { process } = this.#self;
    this.#waiting.forEach((waiting, slot, generation) => {
      if (which(waiting)) this.#finish({ slot, generation, process }, outcome);
    });
  }

  #expire(): void {
    this.#sweep = undefined;
    const nowMs = systemClock.wallMs();
    this.#endAll(
      answered(fail("turn_timeout", "the other node did not answer by the deadline")),
      (waiting) => waiting.deadlineMs <= nowMs,
    );
    if (this.#waiting.size > 0 && !this.#closed) this.#sweep ??= setTimeout(() => this.#expire(), SWEEP_MS);
  }
}

const answered = (answer: Answer): Outcome => ({ type: "answered", answer, meta: {} });

const servingKey = (sender: Sender, id: CallId): string =>
  `${sender.node}/${id.process}/${id.slot}/${id.generation}`;

/** The client gives a Buffer, whose `slice` copies nothing. */
const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);

function later(done: (outcome: Outcome) => void, outcome: Outcome): () => void {
  let open = true;
  setImmediate(() => {
    if (open) done(outcome);
  });
  return () => {
    open = false;
  };
}

function queueFull(name: string, peer: Peer): Outcome {
  const message = `${peer.calls} calls with ${peer.bytes} bytes wait for node ${name}; bounds are peerCallsMax ${peerCallsMax} and peerBytesMax ${peerBytesMax}: retry later`;
  return answered(fail("queue_full", message, { retryAfterMs: 100 }));
}

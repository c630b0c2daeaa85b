// Calls from node to node: all frames that one loop tick makes for one peer are one core NATS message.
import { randomInt } from "node:crypto";
import { createInbox } from "@nats-io/transport-node";
import { busFrameBytesMax, framesSubject, noResponders } from "@voda/proto/wire";
import { bytesEqual, type Clock, DecodeError } from "@voda/stdx";
import {
  type AbandonReason,
  type Answer,
  type AnswerMeta,
  abandonCode,
  abandonReasonOf,
  type Call,
  type CallHead,
  decodeAnswer,
  decodeAnswerMeta,
  decodeCall,
  encodeAnswer,
  encodeAnswerMeta,
  encodeCall,
  fail,
  type Reply,
} from "../call/index.ts";
import {
  draft,
  type FrameCursor,
  type FrameDraft,
  FrameError,
  type FrameFields,
  frameLength,
} from "../frame/index.ts";
import { type Connection, rethrown } from "../nats/index.ts";
import { recent } from "../recent.ts";
import { AnswerWindow, answersToldBytes, answersWaitBytesMax } from "./answer-window.ts";
import { decodeBatch, encodeBatch, fieldsLength, type Sender } from "./batch.ts";

/** Calls to one peer without an answer. */
export const peerCallsMax = 16_384;
/** Bytes of the calls to one peer without an answer: the server cuts a client that is 64 MiB behind. */
export const peerBytesMax = 32 * 1024 * 1024;
/** Lives of other nodes whose bytes are remembered. */
const livesMax = 1_024;

/** Numbers of the frames on `v.dp.<node>.<lane>`. */
const kinds = { call: 1, answer: 2, cancel: 3, undelivered: 4, taken: 5 } as const;

/**
 * What becomes of a call that was passed on. Only `undelivered` may be sent elsewhere: after `lost` it may
 * have run.
 */
export type Outcome =
  | { readonly type: "answered"; readonly answer: Answer; readonly meta: AnswerMeta }
  /** It did not reach that life of the peer: it certainly did not run there. */
  | { readonly type: "undelivered" }
  /** The peer or the connection is gone: nobody knows what became of it. */
  | { readonly type: "lost" };

/** What a bus needs of its node. */
export interface BusOptions {
  readonly connection: Connection;
  /** Id of this node. */
  readonly node: string;
  readonly clock: Clock;
  /** Numbers for calls that come from other nodes, and for those that are passed on. */
  readonly numbers: () => number;
  /** The life that this node certainly has now; `undefined` while its lease may have ended. */
  readonly life: () => string | undefined;
  /**
   * A call from a peer, to be replied to once. Returns the way to take the call back; its reply is not sent
   * then.
   */
  readonly onCall: (call: Call, reply: Reply) => (why: AbandonReason) => void;
  /** Bytes that are not ours. */
  readonly onMalformed: (error: Error) => void;
}

/** Disposal sends what waits, then fails the calls that have no answer with `closed`. */
export interface Bus extends AsyncDisposable {
  /**
   * `done` is called at most once, and never inside this call. The returned function takes the call back;
   * `done` is not called then. Whoever holds the caller's connection watches the deadline.
   */
  call(peer: PeerName, call: Call, done: (outcome: Outcome) => void): (why: AbandonReason) => void;
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
  readonly done: (outcome: Outcome) => void;
  /** Number of the message that carries it; 0 while it waits for the end of the tick. */
  message: number;
}

interface Peer {
  frames: FrameFields[];
  frameBytes: number;
  /** That it has not answered. */
  calls: number;
  bytes: number;
  /** To its calls. */
  readonly answers: AnswerWindow;
  /** Of its answers, since it was told last; `tellTo` is its process. */
  untoldBytes: number;
  tellTo: number;
}

/** `connection` is not closed with it. */
export function openBus(options: BusOptions): Bus {
  return new FrameBus(options);
}

class FrameBus implements Bus {
  readonly #options: BusOptions;
  readonly #self: Sender;
  /**
   * By the number under which a call was passed on: another one each time, so that a late answer finds
   * nothing.
   */
  readonly #waiting = new Map<number, Waiting>();
  readonly #peers = new Map<string, Peer>();
  /** Calls of peers that run here: how to take each back. */
  readonly #serving = new Map<string, (why: AbandonReason) => void>();
  readonly #lifeBytes = recent(livesMax, (incarnation) => new Uint8Array(Buffer.from(incarnation, "hex")));
  readonly #inbox = `${createInbox()}.`;
  readonly #stop: readonly (() => void)[];
  #messages = 0;
  #turnPlanned = false;
  #closed = false;

  constructor(options: BusOptions) {
    this.#options = options;
    // random per process: a node that starts again under the same id must not take its predecessor's answers
    this.#self = { node: options.node, processId: randomInt(2 ** 32) };
    const frames = options.connection.nats.subscribe(framesSubject(options.node, 0), {
      callback: rethrown((error, message) => {
        if (error === null) this.#receive(plain(message.data));
      }),
    });
    const refusals = options.connection.nats.subscribe(`${this.#inbox}*`, {
      callback: rethrown((error, message) => {
        if (error === null && message.headers?.code === noResponders)
          this.#nobody(Number(message.subject.slice(this.#inbox.length)));
      }),
    });
    // An answer that was on its way is lost with the connection, and nobody sends it again.
    const stopListening = options.connection.onEvent((event) => {
      if (event.type === "leader_elected") return;
      const isDown = event.type === "disconnected";
      if (isDown) this.#endAll({ type: "lost" });
      // nothing may be published from this microtask
      if (isDown) this.#holdAnswers(true);
      else setImmediate(() => this.#holdAnswers(!options.connection.isUp()));
    });
    this.#stop = [() => frames.unsubscribe(), () => refusals.unsubscribe(), stopListening];
  }

  call(to: PeerName, call: Call, done: (outcome: Outcome) => void): (why: AbandonReason) => void {
    const name = to.node;
    // certain: nothing was sent, so the caller may try another node
    const refused = this.#closed || !this.#options.connection.isUp();
    if (refused) return later(done, { type: "undelivered" });
    const peer = this.#peer(name);
    const frame = encodeCall(call, this.#options.clock.monotonicMs());
    const bytes = fieldsLength(frame);
    if (peer.calls >= peerCallsMax || peer.bytes + bytes > peerBytesMax)
      return later(done, queueFull(name, peer));
    const number = this.#options.numbers();
    this.#waiting.set(number, { peer: to, bytes, done, message: 0 });
    // counted until the answer: a peer that is slow fills its own bound, not the node
    peer.calls += 1;
    peer.bytes += bytes;
    const { processId } = this.#self;
    frame.kind = kinds.call;
    frame.call = number;
    frame.processId = processId;
    // the life it is meant for travels along: a peer that has lapsed since must not run it
    frame.life = this.#lifeBytes(to.incarnation);
    this.#send(name, frame);
    return (why) => {
      // it has its answer; the peer needs no word
      if (this.#take(number) === undefined) return;
      this.#send(name, draft({ kind: kinds.cancel, call: number, processId, code: abandonCode(why) }));
    };
  }

  peersLost(isGone: (incarnation: string) => boolean): void {
    this.#endAll({ type: "lost" }, ({ peer }) => isGone(peer.incarnation));
    // nodes come and go under ever new ids: a peer without calls costs nothing
    for (const [name, peer] of this.#peers) {
      if (peer.untoldBytes > 0) this.#tellTaken(name, peer);
      if (peer.calls === 0 && peer.frames.length === 0 && peer.answers.waitingBytes === 0)
        this.#peers.delete(name);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    for (const { answers } of this.#peers.values()) answers.leaveAll();
    this.#flush();
    this.#closed = true;
    for (const stop of this.#stop) stop();
    this.#endAll(answered(fail("closed", "this node is closing; retry with the same idempotency key")));
  }

  #holdAnswers(isHeld: boolean): void {
    for (const { answers } of this.#peers.values()) answers.hold(isHeld);
  }

  #peer(name: string): Peer {
    let peer = this.#peers.get(name);
    if (peer === undefined) {
      const answers = new AnswerWindow((answer) => this.#send(name, answer));
      peer = { frames: [], frameBytes: 0, calls: 0, bytes: 0, answers, untoldBytes: 0, tellTo: 0 };
      this.#peers.set(name, peer);
    }
    return peer;
  }

  #send(name: string, fields: FrameFields): void {
    const peer = this.#peer(name);
    const bytes = fieldsLength(fields);
    // the server refuses messages over its limit: a full one goes before the turn ends
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
      const waiting = frame.kind === kinds.call ? this.#waiting.get(frame.call) : undefined;
      // by this number the server's refusal finds its calls
      if (waiting !== undefined) waiting.message = this.#messages;
    }
    const reply = `${this.#inbox}${this.#messages}`; // only so that the server says when nobody listens
    this.#options.connection.nats.publish(framesSubject(name, 0), encodeBatch(this.#self, frames), { reply });
  }

  /** Nobody got this message: its calls did not run. Those that the peer got before have lost it. */
  #nobody(message: number): void {
    let gone: string | undefined;
    for (const [number, waiting] of this.#waiting) {
      if (waiting.message !== message) continue;
      gone = waiting.peer.node;
      this.#finish(number, { type: "undelivered" });
    }
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
    const { kind, call: number, processId } = frame;
    // An answer to the process that had this node's id before is none of ours.
    const isOurs = processId === this.#self.processId;
    switch (kind) {
      case kinds.call:
        return this.#readCall(sender, frame);
      case kinds.cancel: {
        const why = abandonReasonOf(frame.code);
        return () => this.#cancelled(servingKey(sender, processId, number), why);
      }
      case kinds.undelivered:
        return () => {
          if (isOurs) this.#finish(number, { type: "undelivered" });
        };
      case kinds.answer: {
        const answer = decodeAnswer(frame.payloadCopy());
        const meta = decodeAnswerMeta(frame.meta());
        const bytes = answerLength(frame);
        return () => {
          if (!isOurs) return;
          this.#noteTaken(sender, bytes);
          this.#finish(number, { type: "answered", answer, meta });
        };
      }
      case kinds.taken:
        return () => {
          if (isOurs) this.#peers.get(sender.node)?.answers.taken(number);
        };
      default:
        throw new FrameError(`a frame of kind ${kind} is nothing between nodes`);
    }
  }

  /**
   * A call that was meant for another life does not run here: its caller may have had it run elsewhere since.
   */
  #readCall(sender: Sender, frame: FrameCursor): () => void {
    const { clock, numbers, life } = this.#options;
    const { processId, call: number } = frame;
    const own = life();
    if (own === undefined || !bytesEqual(frame.life(), this.#lifeBytes(own)))
      return () => this.#send(sender.node, draft({ kind: kinds.undelivered, call: number, processId }));
    // under a number of this process: those of two nodes may be equal
    const call = decodeCall(frame, numbers(), clock.monotonicMs());
    return () => this.#serve(sender, processId, number, call);
  }

  /** The peer is told once in a while; what is on its way meanwhile is a part of what may be. */
  #noteTaken({ node, processId }: Sender, bytes: number): void {
    const peer = this.#peer(node);
    if (peer.tellTo !== processId) peer.untoldBytes = 0;
    peer.tellTo = processId;
    peer.untoldBytes += bytes;
    if (peer.untoldBytes >= answersToldBytes) this.#tellTaken(node, peer);
  }

  #tellTaken(name: string, peer: Peer): void {
    const { untoldBytes: call, tellTo: processId } = peer;
    peer.untoldBytes = 0;
    this.#send(name, draft({ kind: kinds.taken, call, processId }));
  }

  #answer(
    { node }: Sender,
    to: { readonly head: CallHead; readonly frame: FrameDraft },
    answer: Answer,
  ): void {
    const { answers } = this.#peer(node);
    const { frame, head } = to;
    frame.payload = encodeAnswer(answer);
    if (!answers.hasRoom(frame))
      frame.payload = encodeAnswer(noRoom(node, answers, head, frame.payload.length));
    answers.push(frame);
  }

  #serve(sender: Sender, processId: number, number: number, call: Call): void {
    const { head } = call;
    const { answers } = this.#peer(sender.node);
    if (answers.isBusy) {
      const frame = draft({ kind: kinds.answer, call: number, processId });
      this.#answer(sender, { head, frame }, answersFull(sender.node, answers));
      return;
    }
    const key = servingKey(sender, processId, number);
    let open = true;
    const cancel = this.#options.onCall(call, (answer, meta) => {
      if (!open) return; // taken back
      open = false;
      this.#serving.delete(key);
      if (this.#closed) return;
      const frame = draft({ kind: kinds.answer, call: number, processId, meta: encodeAnswerMeta(meta) });
      this.#answer(sender, { head, frame }, answer);
    });
    if (!open) return;
    this.#serving.set(key, (why) => {
      open = false;
      cancel(why);
    });
  }

  #cancelled(key: string, why: AbandonReason): void {
    const cancel = this.#serving.get(key);
    this.#serving.delete(key);
    cancel?.(why);
  }

  #take(number: number): Waiting | undefined {
    const waiting = this.#waiting.get(number);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(number);
    const peer = this.#peers.get(waiting.peer.node);
    if (peer !== undefined) {
      peer.calls -= 1;
      peer.bytes -= waiting.bytes;
    }
    return waiting;
  }

  #finish(number: number, outcome: Outcome): void {
    this.#take(number)?.done(outcome);
  }

  #endAll(outcome: Outcome, which: (waiting: Waiting) => boolean = () => true): void {
    for (const [number, waiting] of this.#waiting) if (which(waiting)) this.#finish(number, outcome);
  }
}

const answered = (answer: Answer): Outcome => ({ type: "answered", answer, meta: {} });

const servingKey = ({ node }: Sender, processId: number, number: number): string =>
  `${node}/${processId}/${number}`;

/** The client gives a Buffer, whose `slice` copies nothing. */
const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);

function later(done: (outcome: Outcome) => void, outcome: Outcome): () => void {
  const timer = setImmediate(() => done(outcome));
  return () => clearImmediate(timer);
}

/** Of an answer, which has no subject. */
const answerLength = (frame: FrameCursor): number => frameLength(0, frame.meta().length, frame.payloadLength);

const waitingFor = (name: string, { waitingBytes }: AnswerWindow): string =>
  `answers for node ${name} that wait take ${waitingBytes} bytes of answersWaitBytesMax ${answersWaitBytesMax}`;

/** The call does not begin. */
const answersFull = (name: string, answers: AnswerWindow): Answer =>
  fail("queue_full", `${waitingFor(name, answers)}: retry later`, { retryAfterMs: 100 });

/** The call was done. */
function noRoom(name: string, answers: AnswerWindow, { readonly }: CallHead, bytes: number): Answer {
  if (readonly) return answersFull(name, answers);
  return fail(
    "answer_not_kept",
    `the call was done; its answer of ${bytes} bytes is lost, for ${waitingFor(name, answers)}: ` +
      "call again with the same idempotency key, or read the session",
  );
}

function queueFull(name: string, peer: Peer): Outcome {
  const message = `${peer.calls} calls with ${peer.bytes} bytes wait for node ${name}; bounds are peerCallsMax ${peerCallsMax} and peerBytesMax ${peerBytesMax}: retry later`;
  return answered(fail("queue_full", message, { retryAfterMs: 100 }));
}

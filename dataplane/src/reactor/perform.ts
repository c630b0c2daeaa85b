// What lanes want done, done: every effect of a lane is performed here, on the four ports, and nowhere else.
import { unknownEffect } from "@voda/proto/wire";
import { unreachable } from "@voda/stdx";
import { type AsideMessage, decodeAnswer, type Failed, type Failure, fail } from "../call/index.ts";
import type { LaneEffect, LaneEvent, LaneTimer, StoredRecord } from "../lane/index.ts";
import { type Alone, aloneMsMax } from "./alone.ts";
import type { Calls, LiveCall } from "./calls.ts";
import type { Hosted } from "./hosted.ts";
import type { HostWorld, Ports, Resolver, TimerPort, WorkerEvent } from "./ports.ts";
import type { Waits } from "./waits.ts";

/** What performing needs of the reactor. */
export interface Performing {
  readonly ports: Ports;
  readonly world: HostWorld;
  readonly timers: TimerPort;
  readonly calls: Calls;
  /** What turns here have asked and wait for. */
  readonly waits: Waits;
  /** What may end nodes. */
  readonly alone: Alone;
  /** `ip:port` of this node's ingress, for callers. */
  readonly hint: string;
  /** Sessions that are open in a worker, by their activation. */
  readonly opened: Map<number, Hosted>;
  /** Sessions with a durable claim. */
  readonly owned: Set<Hosted>;
  readonly dispatch: (hosted: Hosted, event: LaneEvent) => void;
  /** What its worker says. */
  readonly hear: (hosted: Hosted, event: WorkerEvent | AsideMessage) => void;
  /** What handlers asked and may leave: delivered after the pass, whose own effects come first. */
  readonly leaving: LiveCall[];
  /** Letters that go: the same. */
  readonly posted: Posted[];
  /** Gives the call to its lane again. `unreached`: the node that did not get it. */
  readonly deliver: (live: LiveCall, unreached?: string) => void;
}

type Of<T extends LaneEffect["type"]> = Extract<LaneEffect, { type: T }>;
type StoreEffect = Of<
  | "append"
  | "readLast"
  | "readRange"
  | "readAt"
  | "readTraces"
  | "readPages"
  | "writePages"
  | "mark"
  | "trim"
  | "trimAsleep"
  | "deletePages"
>;
/** A letter, and the session that has sent it. */
export interface Posted extends Of<"deliver"> {
  readonly from: Hosted;
}

type OpenFailed = Extract<LaneEvent, { type: "open_failed" }>;

const nothing = new Uint8Array(0);

/**
 * Performs the effects of one pass, in their order. An opening that is refused is returned, for the pass
 * after this one; the appends of this one are left out then: there is no claim for what is not opened here,
 * and an append may always get lost.
 */
export function performAll(
  at: Performing,
  hosted: Hosted,
  effects: readonly LaneEffect[],
): OpenFailed | undefined {
  let refused: OpenFailed | undefined;
  for (const effect of effects) {
    if (effect.type === "open") refused = open(at, hosted, effect) ?? refused;
    else if (refused === undefined || effect.type !== "append") perform(at, hosted, effect);
  }
  return refused;
}

function perform(at: Performing, hosted: Hosted, effect: Exclude<LaneEffect, { type: "open" }>): void {
  const { ports, calls } = at;
  switch (effect.type) {
    case "run":
      return run(at, effect);
    case "cancel":
    case "cut":
    case "outbox":
    case "recall":
    case "answerStep":
      return sendToWorker(ports, effect);
    case "identify":
      return identify(at, effect);
    case "ask":
      return letGo(at, effect);
    case "refuseAsk":
      return calls.answer(effect.call, { ok: false, failure: effect.failure });
    case "deliver":
      at.posted.push({ ...effect, from: hosted });
      return;
    case "alone":
      return runAlone(at, hosted, effect);
    case "endAlone":
      return at.alone.leave(effect.call);
    case "close":
      return close(at, hosted, effect.activation);
    case "reply":
      return reply(at, hosted, effect);
    case "fail":
      noteAnswered(at, hosted);
      return calls.answer(effect.call, { ok: false, failure: withWay(at, hosted, effect.failure) });
    case "done":
      noteAnswered(at, hosted);
      return calls.answer(effect.call, { ok: true, content: "json", body: nothing });
    case "forward":
      noteAnswered(at, hosted);
      return forward(at, effect);
    case "timer":
      return arm(at, hosted, effect.timer, effect.atMs);
    case "owned":
      return owned(at, hosted, effect);
    case "cold":
      return cold(at, hosted, effect);
    case "incident":
      return ports.mesh.report(hosted, effect.incident, effect.message);
    case "append":
    case "readLast":
    case "readRange":
    case "readAt":
    case "readTraces":
    case "readPages":
    case "writePages":
    case "mark":
    case "trim":
    case "trimAsleep":
    case "deletePages":
      return performOnStore(at, hosted, effect);
    case "ring":
    case "unring":
    case "bury":
      return performBeside(at, hosted, effect);
    default:
      return unreachable(effect);
  }
}

function reply(at: Performing, hosted: Hosted, { call, answer, uid, n }: Of<"reply">): void {
  noteAnswered(at, hosted);
  // life and position: a read that names them elsewhere waits until it has seen this turn
  const live = at.calls.take(call);
  if (live === undefined) return; // its deadline has answered it
  live.reply(decodeAnswer(answer), { hint: at.hint, token: `${lifeOf(hosted, uid)}.${n}` });
}

/** What concerns nobody but the activation. */
function sendToWorker(
  { worker }: Ports,
  effect: Of<"cancel" | "cut" | "outbox" | "recall" | "answerStep">,
): void {
  const { activation } = effect;
  switch (effect.type) {
    case "cancel":
      return worker.cancel(activation, effect.call, effect.why);
    case "cut":
      return worker.cut(activation);
    case "outbox":
      return worker.outbox(activation, effect);
    case "recall":
      return worker.recall(activation, effect.call, effect.recalled);
    case "answerStep":
      return worker.answerStep(activation, effect.step, effect.answer);
    default:
      return unreachable(effect);
  }
}

/** Of a call that is late: whether it waited, or its turn did, says more than that time was over. */
function withWay({ waits }: Performing, hosted: Hosted, failure: Failure): Failure {
  const way = failure.reason === "turn_timeout" ? waits.wordsOf(hosted) : undefined;
  return way === undefined ? failure : { ...failure, message: `${failure.message}; sessions wait: ${way}` };
}

function performOnStore(at: Performing, hosted: Hosted, effect: StoreEffect): void {
  const { store } = at.ports;
  const emit = (event: LaneEvent): void => at.dispatch(hosted, event);
  const resolver = <T>(token: number, event: (value: T) => LaneEvent): Resolver<T> => ({
    answered: (value) => emit(event(value)),
    failed: () => emit({ type: "store_failed", token }),
  });
  const rangeOf = (token: number): Resolver<readonly StoredRecord[]> =>
    resolver(token, (records) => ({ type: "range", token, records }));
  switch (effect.type) {
    case "append": {
      const { token } = effect;
      return store.append(hosted, effect, {
        accepted: (seq) => emit({ type: "appended", token, seq }),
        refused: () => emit({ type: "refused", token }),
        rejected: (why) => emit({ type: "rejected", token, why }),
      });
    }
    case "readLast": {
      const { token, leader } = effect;
      return store.last(
        hosted,
        leader,
        resolver(token, ({ record, mark }) => ({ type: "last", token, record, mark })),
      );
    }
    case "readRange":
      return store.range(hosted, effect, rangeOf(effect.token));
    case "readAt":
      return store.recordsAt(hosted, effect.seqs, rangeOf(effect.token));
    case "readTraces": {
      const { token } = effect;
      return store.traces(
        hosted,
        resolver(token, (found) => ({ type: "traces", token, found })),
      );
    }
    case "readPages": {
      const { token, names } = effect;
      return store.readPages(
        hosted,
        names,
        resolver(token, (pages) => ({ type: "pages", token, pages })),
      );
    }
    case "writePages": {
      const { token, pages } = effect;
      return store.writePages(
        hosted,
        pages,
        resolver(token, () => ({ type: "pages_written", token })),
      );
    }
    case "mark":
      return store.mark(hosted, effect.mark, effect.isUrgent);
    case "trim":
      return store.trim(hosted, effect.below);
    case "trimAsleep":
      return store.trimAsleep(hosted, effect);
    case "deletePages":
      return store.deletePages(hosted, effect.names);
    default:
      return unreachable(effect);
  }
}

/** What lies beside the lane: bells and dead letters. */
function performBeside(at: Performing, hosted: Hosted, effect: Of<"ring" | "unring" | "bury">): void {
  const { store, mesh } = at.ports;
  const emit = (event: LaneEvent): void => at.dispatch(hosted, event);
  if (effect.type === "unring") {
    store.unring(hosted, effect.seq);
    return;
  }
  const { token } = effect;
  const failed = (): void => emit({ type: "store_failed", token });
  if (effect.type === "ring") {
    const answered = (seq: number): void => emit({ type: "rung", token, seq });
    const rejected = (why: string): void => emit({ type: "rejected", token, why });
    const bell = { incarnation: at.world.incarnation, dueMs: effect.dueMs };
    store.ring(hosted, bell, { answered, rejected, failed });
    return;
  }
  const answered = (id: number | undefined): void => {
    if (id !== undefined)
      mesh.report(hosted, "dead_letter", `${deadLetter(hosted, effect, id)}; ${mesh.deadWords}`);
    emit({ type: "buried", token });
  };
  store.bury(hosted, effect, { answered, failed });
}

/** In the terms of the commands that list it and decide about it. */
function deadLetter({ name }: Hosted, { letter, failure }: Of<"bury">, id: number): string {
  const way = `${name.agent}/${name.key} -> ${letter.agent}/${letter.key} ${letter.method}`;
  return `dead letter ${id} (${way}): ${failure.message}`;
}

function open(at: Performing, hosted: Hosted, effect: Of<"open">): OpenFailed | undefined {
  const { activation, epoch, image } = effect;
  const { token, name, granted } = hosted;
  const admitted = at.ports.worker.open({
    token,
    name,
    activation,
    epoch,
    image,
    granted,
    hear(event) {
      if (hosted.activation === activation) at.hear(hosted, event); // or its memory was dropped meanwhile
    },
  });
  if ("failure" in admitted) {
    at.ports.mesh.released(hosted, "refused"); // or control planes would send it here again
    return { type: "open_failed", activation, failure: admitted.failure };
  }
  at.opened.set(activation, hosted);
  // only now: of a refusal nothing is left to be taken back
  hosted.activation = activation;
  hosted.agent = admitted.agent;
  hosted.devices = admitted.devices;
  return undefined;
}

function run({ ports, calls, opened }: Performing, { activation, call }: Of<"run">): void {
  const live = calls.get(call);
  // answered by its deadline, of which the lane hears next; or its opening was refused
  if (live === undefined || !opened.has(activation)) return;
  // from here on the end of the thread concerns it
  live.isHanded = true;
  ports.worker.run(activation, live.call);
}

function letGo({ calls, leaving }: Performing, { call, id }: Of<"ask">): void {
  const live = calls.get(call);
  if (live === undefined) return; // its time is over
  live.call = { ...live.call, head: { ...live.call.head, id } };
  leaving.push(live);
}

function identify({ ports, calls }: Performing, { activation, call }: Of<"identify">): void {
  const live = calls.get(call);
  if (live !== undefined) ports.worker.identify(activation, live.call);
}

/**
 * The end of an activation in the host's books; the worker hears of it last, when nothing refers to it any
 * more.
 */
function close({ ports, opened, alone }: Performing, hosted: Hosted, activation: number): void {
  const isOpen = opened.delete(activation); // or its opening was refused
  alone.leaveAll(activation);
  // Calls that still wait may open it again with what it held; nothing else may.
  hosted.granted = isOpen ? hosted.devices : undefined;
  hosted.activation = undefined;
  hosted.devices = [];
  if (isOpen) ports.worker.close(activation);
}

/** One that waits is in the log: that it is not taken for seconds would be a riddle. */
function runAlone(at: Performing, hosted: Hosted, { call, activation }: Of<"alone">): void {
  const grant = (): void => at.dispatch(hosted, { type: "alone", call });
  const method = at.calls.get(call)?.call.method;
  if (at.alone.ask({ call, activation, grant }) && method !== undefined)
    at.ports.mesh.warn(hosted, waitsAlone(hosted, method));
}

const waitsAlone = ({ name: { agent, key } }: Hosted, method: string): string =>
  `${agent}/${key} takes ${method} later: nodes have ended under it, and under another message that runs here; ` +
  `they begin alone, one after the other, each for at most aloneMsMax ${aloneMsMax} ms`;

function noteAnswered({ world }: Performing, hosted: Hosted): void {
  hosted.calls -= 1;
  hosted.usedMs = world.monotonicMs;
}

const base64url = { alphabet: "base64url", omitPadding: true } as const;

/** A session keeps its birth id from record to record: its text is made once. */
function lifeOf(hosted: Hosted, uid: Uint8Array): string {
  if (hosted.life?.uid !== uid) hosted.life = { uid, text: uid.toBase64(base64url) };
  return hosted.life.text;
}

function forward(at: Performing, { call: number, incarnation, mayHaveBegun }: Of<"forward">): void {
  const live = at.calls.get(number);
  if (live === undefined) return;
  if (mayHaveBegun) noteBegun(live);
  const { head } = live.call;
  // a new head: the call itself is frozen, and comes back with the hops that it had
  const passedOn = { ...live.call, head: { ...head, hops: head.hops + 1 } };
  // before the port is asked: nothing may find it at its lane any more
  live.stage = "away";
  live.takeBack = at.ports.mesh.forward(incarnation, passedOn, {
    answered: (answer, meta) => at.calls.answer(number, answer, meta),
    undelivered: () => comeBack(at, live, incarnation),
    lost: () => lost(at, live),
  });
}

/** For whoever has the call next: nobody says any more that it did not begin. */
function noteBegun(live: LiveCall): void {
  live.call = { ...live.call, head: { ...live.call.head, mayHaveBegun: true } };
}

/** Its node may have ended under it. */
function noteSuspect(live: LiveCall): void {
  live.call = { ...live.call, head: { ...live.call.head, isSuspect: true } };
}

function comeBack(at: Performing, live: LiveCall, unreached?: string): void {
  // its deadline was faster
  if (at.calls.get(live.call.head.number) === undefined) return;
  live.takeBack = undefined;
  at.deliver(live, unreached);
}

/**
 * A call with an id joins what ran of it, and a reader changes nothing: they may run again wherever the
 * session is then.
 */
function lost(at: Performing, live: LiveCall): void {
  const { number, type, id, readonly } = live.call.head;
  if (type === "invoke" && (id !== undefined || readonly)) {
    noteBegun(live);
    noteSuspect(live);
    comeBack(at, live);
  } else at.calls.answer(number, unknownOutcome());
}

/** One that was set to another time since says nothing. */
function arm(at: Performing, hosted: Hosted, timer: LaneTimer, atMs: number): void {
  hosted.timers.set(timer, atMs);
  at.timers.at(atMs, () => {
    const due = hosted.timers.get(timer);
    if (due === undefined || due > at.timers.nowMs()) return;
    hosted.timers.delete(timer);
    at.dispatch(hosted, { type: "timer", timer });
  });
}

function owned(
  { ports, owned: all }: Performing,
  hosted: Hosted,
  { epoch, born, isNamed }: Of<"owned">,
): void {
  hosted.epoch = epoch;
  all.add(hosted);
  ports.mesh.owned(hosted);
  // after the claim: a name without a session would show in lists
  if (!isNamed) ports.store.writeName(hosted, born);
}

function cold({ ports, owned: all }: Performing, hosted: Hosted, { why }: Of<"cold">): void {
  // only one that was claimed is known to the control planes
  if (all.delete(hosted)) ports.mesh.released(hosted, why);
  hosted.epoch = 0;
  for (const resolve of hosted.onCold.splice(0)) resolve();
}

const unknownOutcome = (): Failed =>
  fail(
    "not_owner",
    "the session's node is gone; whether the call took effect is unknown: it had no idempotency key",
    { metadata: unknownEffect },
  );

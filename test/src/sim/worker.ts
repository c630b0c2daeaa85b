// A worker's half of an activation: the real turn machine; the state is the list of effects, and a handler
// takes some time.

import type { Timing } from "@voda/proto/timing";
import type { HashedPage } from "@voda/proto/wire";
import {
  type Answer,
  type CallHead,
  encodeAnswer,
  type Failure,
  fail,
  type KeptDue,
  noSends,
  type Send,
  type StepAnswer,
  type StepDoneMessage,
  type StepMessage,
} from "../../../dataplane/src/call/index.ts";
import type { Image } from "../../../dataplane/src/lane/index.ts";
import {
  createEntrant,
  feedTurn,
  mayStart,
  openTurn,
  queueCall,
  type Rounds,
  startNext,
  type Turn,
  type TurnEffect,
  type TurnEvent,
  type TurnMessage,
} from "../../../dataplane/src/turn/index.ts";
import { effectOf } from "./checks.ts";
import { isRun, noteBegun, type Operation, type OperationTiming } from "./clients.ts";
import { askedSession, nobody } from "./sessions.ts";
import { createDoer } from "./step-doer.ts";
import { decodeTold, encodeTold, type Told } from "./told.ts";

export type SimMessage =
  | TurnMessage
  | StepMessage
  | StepDoneMessage
  | {
      readonly type: "identified";
      readonly activation: number;
      readonly call: number;
      readonly canonicalHash: Uint8Array;
    }
  | {
      readonly type: "cut";
      readonly activation: number;
      readonly after: number;
      readonly pages: readonly HashedPage[];
    };

export interface SimWorker {
  /** What a handler asked is answered. */
  askAnswered(askId: number, answer: Answer): void;
  /** What becomes of a step that a handler wants to do, or has done. */
  stepAnswered(step: number, answer: StepAnswer): void;
  /** The state that the handler of a step sees. */
  readonly seenAt: ReadonlyMap<number, string>;
  /** Says what the call means, however it was written. */
  identify(call: number): void;
  /** The call waits until it is its session's turn. */
  run(call: CallHead): void;
  feed(event: TurnEvent): void;
  /** Calls whose handlers have begun. */
  readonly begun: ReadonlySet<number>;
}

export interface WorkerOptions {
  readonly activation: number;
  readonly image: Image;
  /** Of its thread. */
  readonly rounds: Rounds;
  readonly operation: (call: number) => Operation;
  /** Number of the letter that the call is; 0 when it is none. */
  readonly letter: (call: number) => number;
  /** Asks the other session to do the same operation; `undefined` where the session is the asked one. */
  readonly ask: ((by: number, askId: number, seen: string) => void) | undefined;
  /** What comes of a step, and of no other. */
  readonly perform: (step: string) => string;
  /** A handler ends the node, or the node is closed under it; else it ends. */
  readonly kill: (operation: Operation, end: () => void) => void;
  /** Whether a handler that may refuse does. */
  readonly refuses: () => boolean;
  /** By the monotonic clock. */
  readonly nowMs: () => number;
  /** Lets a handler run that long. */
  readonly run: (done: () => void) => void;
  readonly say: (message: SimMessage) => void;
}

const utf8 = new TextEncoder();
const text = new TextDecoder();
const effectsPerPage = 2;
const hashBytes = 16;

/** The product's turn machine, whose calls begin in the rounds of their thread. */
function openMachine(
  { activation, rounds, nowMs }: WorkerOptions,
  perform: (effect: TurnEffect) => void,
): Pick<SimWorker, "feed" | "run"> {
  const turn: Turn = openTurn(activation);
  const entrant = createEntrant(() => performAll(startNext(turn, nowMs())));
  const enter = (): void => {
    if (mayStart(turn)) rounds.enter(entrant, turn.waitingBytes);
  };
  const performAll = (effects: readonly TurnEffect[]): void => {
    for (const effect of effects) perform(effect);
    enter();
  };
  return {
    feed: (event) => performAll(feedTurn(turn, event)),
    run(call) {
      queueCall(turn, call);
      enter();
    },
  };
}

/** However an attempt is written, it means its operation. */
const meaningOf = ({ number }: Operation): Uint8Array => new Uint8Array(hashBytes).fill(number);

/** Of calls with an id. */
const hashOf = (operation: Operation): Uint8Array | undefined =>
  operation.kind === "run" ? meaningOf(operation) : undefined;

export function createWorker(options: WorkerOptions): SimWorker {
  const { activation, refuses } = options;
  const isAsked = options.ask === undefined;
  const state = stateOf(options.image);
  /** Handlers that run, by call; a later start takes the place of an earlier one. */
  const runs = new Map<number, { readonly effect: string }>();
  const begun = new Set<number>();
  /** What handlers asked, by its number. */
  const asks: ((answer: Answer) => void)[] = [];
  const steps = createDoer(options);

  function start(call: number, readonly: boolean): void {
    begun.add(call);
    const operation = options.operation(call);
    if (!isAsked) noteBegun(operation);
    const seen = state.join(" ");
    const run = { effect: effectOf(takenAs(operation, options.letter(call)), state) };
    runs.set(call, run);
    const ended = { call, operation, readonly, seen, effect: run.effect, isAsked, refuses };
    const ran: string[] = [];
    const end = (asked?: Told, failure?: Failure): void =>
      options.run(() => {
        if (runs.get(call) === run) feed(endOf({ ...ended, asked, failure, ran }));
      });
    if (isRun(operation)) {
      const isOn = (): boolean => runs.get(call) === run;
      return steps.begin({ call, operation, canonicalHash: hashOf(operation), seen, isOn, ran, end });
    }
    if (isAsked || !isAsk(operation)) return isKiller(ended) ? options.kill(operation, end) : end();
    asks.push((answer) => end(answer.ok ? decodeTold(answer.body) : { failed: seen }));
    options.ask?.(call, asks.length - 1, seen);
  }

  const { feed, run } = openMachine(options, perform);

  function perform(effect: TurnEffect): void {
    switch (effect.type) {
      case "start":
        return start(effect.call, effect.readonly);
      case "apply":
        state.push(...[runs.get(effect.call)?.effect ?? []].flat());
        runs.delete(effect.call);
        return;
      case "discard":
        runs.delete(effect.call);
        return;
      case "abort":
        return;
      case "snapshot":
        return options.say({ type: "cut", activation, after: effect.after, pages: pagesOf(state) });
      case "say":
        return options.say(effect.message);
    }
  }

  return {
    feed,
    run,
    begun,
    seenAt: steps.seenAt,
    stepAnswered: steps.answered,
    askAnswered: (askId, answer) => asks[askId]?.(answer),
    identify(call) {
      const canonicalHash = meaningOf(options.operation(call));
      options.say({ type: "identified", activation, call, canonicalHash });
    },
  };
}

/** What comes again and again is another operation each time. */
const takenAs = ({ number, kind }: Operation, letter: number): number =>
  kind === "every" && letter > 0 ? Number(`${number}.${String(letter).padStart(6, "0")}`) : number;

const stateOf = ({ pages, deltas }: Image): string[] => [
  ...pages.flatMap((page): string[] => JSON.parse(text.decode(page))),
  ...deltas.map((delta) => text.decode(delta)),
];

interface Ended {
  readonly call: number;
  readonly operation: Operation;
  readonly readonly: boolean;
  readonly seen: string;
  readonly effect: string;
  /** What was asked told; `undefined` when nothing was asked. */
  readonly asked: Told | undefined;
  /** Its session ended it. */
  readonly failure: Failure | undefined;
  /** What came of its steps. */
  readonly ran: readonly string[];
  /** It runs in the session that is asked, and sent to. */
  readonly isAsked: boolean;
  /** Whether it is in no mood for it. */
  readonly refuses: () => boolean;
}

const isAsk = ({ kind }: Operation): boolean => kind === "ask" || kind === "unkeyedAsk";

const isKiller = ({ isAsked, operation }: Pick<Ended, "isAsked" | "operation">): boolean =>
  isAsked && (operation.kind === "killer" || operation.kind === "closing");

/** How the handler of an operation ends, that saw the state `seen`. */
function endOf(ended: Ended): TurnEvent {
  const { call, operation, readonly, seen, effect, asked, failure, ran, isAsked, refuses } = ended;
  if (failure !== undefined) return { type: "threw", call, answer: encodeAnswer({ ok: false, failure }) };
  if (isAsked && (operation.kind === "poison" || (operation.kind === "moody" && refuses())))
    return { type: "threw", call, answer: encodeAnswer(fail("bad_request", "poison")) };
  const isRefused = asked !== undefined && !("effect" in asked);
  if (operation.kind === "throw" || isRefused)
    return { type: "threw", call, answer: encodeTold({ failed: seen }) };
  const [delta, answer] = readonly
    ? [new Uint8Array(0), encodeTold({ state: seen })]
    : [
        utf8.encode(effect),
        encodeTold({
          effect,
          ...(asked !== undefined && { asked: asked.effect }),
          ...(ran.length > 0 && { ran }),
        }),
      ];
  const sends = isAsked ? noSends : sendsOf(operation);
  return { type: "succeeded", call, delta, answer, canonicalHash: meaningOf(operation), sends };
}

function sendsOf({ kind, number, timing }: Operation): readonly Send[] {
  const { agent, key } = askedSession.name;
  const target = { agent, key, method: String(number), body: new Uint8Array(0) };
  if (timing !== undefined) return [{ ...target, timing: timingOf(timing) }];
  if (!isSent(kind)) return noSends;
  return kind === "poison" ? [target, { ...target, agent: nobody, method: String(-number) }] : [target];
}

const isSent = (kind: Operation["kind"]): boolean =>
  ["send", "poison", "moody", "killer", "closing"].includes(kind);

const timingOf = ({ type, ms, of }: OperationTiming): Timing<KeptDue> => ({
  id: String(of),
  due: type === "never" ? { type } : { type, ms },
});

function pagesOf(state: readonly string[]): HashedPage[] {
  const pages: HashedPage[] = [];
  for (let at = 0; at < state.length; at += effectsPerPage) {
    const bytes = utf8.encode(JSON.stringify(state.slice(at, at + effectsPerPage)));
    const hash = new Uint8Array(hashBytes);
    bytes.forEach((byte, i) => {
      const place = i % hashBytes;
      hash[place] = Math.imul((hash[place] ?? 0) + byte + i, 31) & 255;
    });
    pages.push({ hash, bytes });
  }
  return pages;
}

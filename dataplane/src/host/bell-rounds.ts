// Sessions that have sent what is not delivered, and that no living node has in memory, are woken for it.
import { type SessionToken, shardOf } from "@voda/proto/session";
import type { Standing } from "../lane/index.ts";
import type { Bell, Bells } from "../store/index.ts";
import type { Inbox } from "./inbox.ts";

export interface BellRoundsOptions {
  readonly bells: Bells;
  readonly inbox: Pick<Inbox, "order">;
  readonly incarnation: () => string;
  readonly standing: (incarnation: string) => Standing;
  /** Whether the session is in memory here. */
  readonly isHere: (token: SessionToken) => boolean;
  /** Which of the living nodes this one is, and how many they are; `undefined` when it is none. */
  readonly rank: () => { readonly index: number; readonly count: number } | undefined;
  readonly isConnected: () => boolean;
  readonly monotonicMs: () => number;
  readonly failed: (error: unknown) => void;
}

/** Between two looks at the bells. */
export const bellsEveryMs = 2_000;
/** A session that delivers for longer is asked again. */
const deliverMsMax = 30_000;
/** Sessions that are woken at the same time. */
const atOnceMax = 64;

/** A round that takes longer than the pause leaves out the next one. */
export function openBellRounds(options: BellRoundsOptions): AsyncDisposable {
  const ordered = new Set<SessionToken>();
  let count = 0;
  let round: Promise<void> | undefined;
  const work = (): void => {
    if (round !== undefined || !options.isConnected()) return;
    count += 1;
    // the store did not answer: the next round has it all again
    round = look(options, ordered, count)
      .catch((error: unknown) => options.failed(error))
      .finally(() => {
        round = undefined;
      });
  };
  const ticking = setInterval(work, bellsEveryMs);
  work();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(ticking);
      await round;
    },
  };
}

async function look(options: BellRoundsOptions, ordered: Set<SessionToken>, round: number): Promise<void> {
  for await (const bell of options.bells.all()) {
    const { token } = bell;
    if (ordered.size >= atOnceMax) return;
    if (ordered.has(token) || !isMine(options, bell, round)) continue;
    ordered.add(token);
    void answer(options, bell)
      .catch((error: unknown) => options.failed(error))
      .finally(() => ordered.delete(token));
  }
}

/**
 * Whose node lives is none of ours: it has the session, or looks for itself. Those of dead ones go round:
 * where one node has no room, another may.
 */
function isMine(options: BellRoundsOptions, { token, incarnation }: Bell, round: number): boolean {
  const own = options.incarnation();
  if (incarnation === own) return !options.isHere(token);
  const standing = options.standing(incarnation);
  if (standing.type === "living") return false;
  if (standing.successor === own) return !options.isHere(token);
  const place = options.rank();
  if (standing.successor !== undefined || place === undefined) return false;
  return (shardOf(token) + round) % place.count === place.index;
}

/** A bell that a node rang after this one was found has a higher sequence, and stays. */
async function answer({ bells, inbox, monotonicMs }: BellRoundsOptions, bell: Bell): Promise<void> {
  const { name, token, seq } = bell;
  const told = await inbox.order("deliver", name, monotonicMs() + deliverMsMax, undefined);
  if (told.ok) await bells.silence(token, seq);
}

// How an activation begins.
import { openAppend } from "./append.ts";
import { openAsks } from "./asks.ts";
import { openFold } from "./fold.ts";
import type { Activation, Pass } from "./lane.ts";
import { openOrders } from "./orders.ts";
import { openOutbox } from "./outbox.ts";
import type { Base } from "./replay.ts";
import { keepReadable, openTip } from "./tip.ts";
import { openTurns } from "./turns.ts";
import { openVerification } from "./verification.ts";
import { sameRecord } from "./words.ts";

/** Its last record is the fold of a session that was put to sleep. */
const isReleased = ({ fold, tip }: Base): boolean =>
  fold?.record.released === true && sameRecord(fold.record.rid, tip);

/** `unborn`: calls that may read a session which is not there, and so leave nothing. */
export function open(
  pass: Pass,
  base: Base,
  pages: readonly Uint8Array[],
  unborn: ReadonlySet<number> | undefined,
): void {
  const { lane, world, out } = pass;
  const activation: Activation = {
    number: world.unique(),
    tip: openTip(base, world, unborn),
    turns: openTurns(),
    append: openAppend(),
    fold: openFold(base),
    verification: openVerification(),
    orders: openOrders(),
    dedupe: base.dedupe,
    asks: openAsks(),
    outbox: openOutbox(base.outbox, lane.owed, base.uid === undefined),
    seen: base.seen,
    timers: base.timers,
    journals: base.journals,
    suspects: base.suspects,
    trail: base.trail,
  };
  const { keptTip } = lane;
  lane.keptTip = undefined;
  lane.owed = undefined;
  if (keptTip?.incarnation === world.incarnation && sameRecord(keptTip.rid, base.tip))
    keepReadable(activation.tip);
  lane.waking = undefined;
  lane.unreachable = undefined;
  lane.activation = activation;
  if (base.voids > 0) {
    const message = `${base.voids} records before sequence ${base.expect} do not link: a writer that had lost data`;
    out.push({ type: "incident", incident: "void_record", message });
  }
  out.push({
    type: "open",
    activation: activation.number,
    epoch: activation.tip.epoch,
    image: { pages, deltas: base.deltas, isReleased: isReleased(base) },
  });
  const { letters } = base.outbox;
  const { table } = base.timers;
  if (letters.size + table.size > 0)
    out.push({
      type: "outbox",
      activation: activation.number,
      messages: letters.size,
      timers: table.size,
      bytes: base.outbox.bytes + base.timers.bytes,
    });
}
